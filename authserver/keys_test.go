package main

import (
	"context"
	"net"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"portcullis/authserver/internal/keyring"
	"portcullis/authserver/internal/store"
)

// inState lists the keys of the database in a folder that are in a state.
func inState(ts *testscript.TestScript, state, data string) (kids []string) {
	ctx := context.Background()
	db, err := store.Open(ctx, ts.MkAbs(data))
	ts.Check(err)
	defer db.Close()
	stored, err := db.Keys(ctx)
	ts.Check(err)
	for _, k := range stored {
		if k.State == keyring.State(state) {
			kids = append(kids, k.ID)
		}
	}
	return kids
}

// keysAre waits until so many keys are in a state.
func keysAre(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: keys N STATE DATA")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	if !until(func() bool { return len(inState(ts, args[1], args[2])) == n }) {
		ts.Fatalf("never are %d keys %s", n, args[1])
	}
}

// kid sets a variable to the kid of the only key in a state.
func kid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: kid VARIABLE STATE DATA")
	}
	kids := inState(ts, args[1], args[2])
	if len(kids) != 1 {
		ts.Fatalf("%d keys are %s", len(kids), args[1])
	}
	ts.Setenv(args[0], kids[0])
}

// listening waits until somebody listens on a unix socket.
func listening(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listening SOCKET")
	}
	if !until(func() bool {
		conn, err := net.Dial("unix", ts.MkAbs(args[0]))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}) {
		ts.Fatalf("nobody listens on %s", args[0])
	}
}
