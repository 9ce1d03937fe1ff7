package keyring

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// signTimeout bounds one signature, a restart of the signer included.
	signTimeout = 2 * time.Second
	// makeTimeout bounds the rest: an RSA key takes a second, or some.
	makeTimeout = 10 * time.Second
	// maxAsking is how many questions are asked at once: more than the signer
	// has processors, because some wait for the wire.
	maxAsking = 16
	// knock is the time between two tries to reach a signer that restarts.
	knock = 20 * time.Millisecond
	// inSigner stands in the storage for a private half that a signer has.
	inSigner = "in the signer process"
)

// RemoteVault is a vault whose keys never leave a signer process. It is safe
// for concurrent use.
type RemoteVault struct {
	socket string
	sign   time.Duration // bounds one signature
	slots  chan struct{}
	idle   chan net.Conn
}

var _ Vault = (*RemoteVault)(nil)

// DialSigner returns a vault of the signer that listens on the unix socket.
// Nothing is asked yet.
func DialSigner(socket string) (*RemoteVault, error) {
	info, err := os.Stat(filepath.Dir(socket))
	if err != nil {
		return nil, fmt.Errorf("find the signer's socket: %w", err)
	}
	// Who could put a socket there would be asked to make keys, and know them.
	if others := info.Mode().Perm() & 0o022; others != 0 {
		return nil, fmt.Errorf("others may put a signer of their own into %q (mode %04o): run chmod go-w on it", filepath.Dir(socket), info.Mode().Perm())
	}
	return &RemoteVault{socket: socket, sign: signTimeout, slots: make(chan struct{}, maxAsking), idle: make(chan net.Conn, maxAsking)}, nil
}

// Close closes the connections that are idle.
func (v *RemoteVault) Close() error {
	for {
		select {
		case conn := <-v.idle:
			_ = conn.Close() // nothing is under way on it
		default:
			return nil
		}
	}
}

// Make implements Vault.
func (v *RemoteVault) Make(ctx context.Context, alg string) ([]byte, crypto.PublicKey, error) {
	answer, err := v.ask(ctx, makeTimeout, question{Op: opMake, Algorithm: alg})
	if err != nil {
		return nil, nil, err
	}
	public, err := x509.ParsePKIXPublicKey(answer.Public)
	if err != nil {
		return nil, nil, fmt.Errorf("the signer made no readable key: %w", err)
	}
	return []byte(inSigner), public, nil
}

// Open implements Vault.
func (v *RemoteVault) Open(ctx context.Context, sealed []byte, public crypto.PublicKey) (crypto.Signer, error) {
	if string(sealed) != inSigner {
		return nil, errors.New("it is sealed in the database, not in a signer process: start with its seal file as well, and rotate")
	}
	id, err := thumbprint(public)
	if err != nil {
		return nil, err
	}
	answer, err := v.ask(ctx, makeTimeout, question{Op: opPublic, Key: id})
	if err != nil {
		return nil, err
	}
	if has, err := x509.ParsePKIXPublicKey(answer.Public); err != nil || !same(has, public) {
		return nil, errors.New("the signer has another key under its name")
	}
	return &remoteKey{vault: v, id: id, public: public}, nil
}

// Destroy implements Vault.
func (v *RemoteVault) Destroy(ctx context.Context, public crypto.PublicKey) error {
	id, err := thumbprint(public)
	if err != nil {
		return err
	}
	_, err = v.ask(ctx, makeTimeout, question{Op: opDestroy, Key: id})
	return err
}

// remoteKey signs where the key is.
type remoteKey struct {
	vault  *RemoteVault
	id     string
	public crypto.PublicKey
}

func (k *remoteKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer. The signer brings its own randomness.
func (k *remoteKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts != crypto.SHA256 {
		return nil, errors.New("the signer process signs digests of SHA-256 only, PKCS #1 v1.5 where the key is RSA")
	}
	answer, err := k.vault.ask(context.Background(), k.vault.sign, question{Op: opSign, Key: k.id, Digest: digest})
	return answer.Signature, err
}

// ask asks one question. A connection that broke, as those do that the signer
// had before its restart, is replaced once.
func (v *RemoteVault) ask(ctx context.Context, timeout time.Duration, q question) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return reply{}, fmt.Errorf("ask the signer: all connections are in use: %w", ctx.Err())
	}
	answer, err := v.try(ctx, q, true)
	if broken(err) {
		answer, err = v.try(ctx, q, false)
	}
	if err != nil {
		return reply{}, fmt.Errorf("ask the signer at %q: %w", v.socket, err)
	}
	if answer.Error != "" {
		return reply{}, fmt.Errorf("the signer says: %s", answer.Error)
	}
	return answer, nil
}

func (v *RemoteVault) try(ctx context.Context, q question, pooled bool) (answer reply, err error) {
	var conn net.Conn
	if pooled {
		select {
		case conn = <-v.idle:
		default:
		}
	}
	if conn == nil {
		if conn, err = v.dial(ctx); err != nil {
			return reply{}, err
		}
	}
	deadline, _ := ctx.Deadline() // ask has set one
	if err = conn.SetDeadline(deadline); err == nil {
		if err = writeFrame(conn, q); err == nil {
			err = readFrame(conn, &answer)
		}
	}
	if err != nil {
		_ = conn.Close() // err says what happened
		return reply{}, err
	}
	select {
	case v.idle <- conn:
	default:
		_ = conn.Close() // the answer is here
	}
	return answer, nil
}

// dial waits for a signer that restarts, as long as ctx has time.
func (v *RemoteVault) dial(ctx context.Context) (net.Conn, error) {
	var away error // why the last try failed
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", v.socket)
		if away != nil && ctx.Err() != nil && err != nil {
			return nil, fmt.Errorf("no signer listens: %w", away)
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
			return conn, err
		}
		away = err
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no signer listens: %w", away)
		case <-time.After(knock):
		}
	}
}

// broken reports whether a connection ended, rather than took too long.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
