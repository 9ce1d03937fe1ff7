package store

import (
	"context"
	"database/sql/driver"
	"errors"
)

// steadyConnector makes connections whose statements a caller's context does
// not interrupt. SQLite answers the interruption of a write by rolling back the
// whole transaction, so that one client that hangs up would undo the changes of
// all who share its commit; and an interrupted connection is thrown away, so
// that clients that hang up would make every read open a new one. Statements
// here take microseconds; waiting, which is what takes time, ends with the
// context all the same.
type steadyConnector struct{ driver.Connector }

// connection is what database/sql makes use of in the driver's connections.
type connection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// Connect is driver.Connector.
func (c steadyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := conn.(connection)
	if !ok {
		return nil, errors.Join(errors.New("the SQLite driver's connections cannot take a context"), conn.Close())
	}
	return steadyConn{inner}, nil
}

type steadyConn struct{ connection }

func (c steadyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.connection.BeginTx(context.WithoutCancel(ctx), opts)
}

func (c steadyConn) Ping(ctx context.Context) error {
	return c.connection.Ping(context.WithoutCancel(ctx))
}

func (c steadyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.connection.ExecContext(context.WithoutCancel(ctx), query, args)
}

func (c steadyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.connection.QueryContext(context.WithoutCancel(ctx), query, args)
}

func (c steadyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.connection.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, err
	}
	inner, ok := stmt.(statement)
	if !ok {
		return nil, errors.Join(errors.New("the SQLite driver's statements cannot take a context"), stmt.Close())
	}
	return steadyStmt{inner}, nil
}

// statement is what database/sql makes use of in the driver's statements.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type steadyStmt struct{ statement }

func (s steadyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.statement.ExecContext(context.WithoutCancel(ctx), args)
}

func (s steadyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.statement.QueryContext(context.WithoutCancel(ctx), args)
}
