package keyring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	// maxServed bounds the connections: four services with all they may have.
	maxServed = 4 * maxAsking
	// servedIdle closes a connection on which nothing is asked.
	servedIdle = 5 * time.Minute
	// answerTime bounds writing an answer to who does not read it.
	answerTime = 2 * time.Second
)

// SignerConfig is what a signer process is made of.
type SignerConfig struct {
	// Socket is the path of the unix socket. Its folder is made if missing, and
	// must not let others in.
	Socket string
	// Dir is the folder of the keys.
	Dir string
	// Vault seals them.
	Vault *Sealed
	// AllowUIDs are users who may ask beside the signer's own. With any, the
	// socket lets everybody knock, and who it is decides.
	AllowUIDs []int
	// Ready, if set, is called once the signer listens.
	Ready func()
	// Log takes diagnostics; nil keeps silent.
	Log *slog.Logger
}

// ServeSigner makes keys and signs digests with them for whoever may ask, until
// ctx ends. It gives no private key to anybody.
func ServeSigner(ctx context.Context, cfg SignerConfig) (err error) {
	if cfg.Vault == nil || cfg.Dir == "" || cfg.Socket == "" {
		return errors.New("a signer needs a socket, a folder for its keys, and a seal")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	keys, err := openFolder(ctx, cfg.Dir, cfg.Vault)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.close()) }()
	listener, err := listen(cfg.Socket, len(cfg.AllowUIDs) > 0)
	if err != nil {
		return err
	}
	s := &signer{keys: keys, log: cfg.Log, uids: append(slices.Clone(cfg.AllowUIDs), os.Getuid()), conns: map[net.Conn]struct{}{}}
	if cfg.Ready != nil {
		cfg.Ready()
	}
	return s.serve(ctx, listener)
}

// listen takes the place of a socket that nobody serves any more.
func listen(path string, others bool) (*net.UnixListener, error) {
	folderMode, closed, socketMode := os.FileMode(0o700), os.FileMode(0o077), os.FileMode(0o600)
	if others {
		folderMode, closed, socketMode = 0o711, 0o022, 0o666
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("make the folder of the signer's socket: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at the folder of the signer's socket: %w", err)
	}
	if info.Mode().Perm()&closed != 0 {
		return nil, fmt.Errorf("the folder %q of the signer's socket has mode %04o: run chmod %04o on it", dir, info.Mode().Perm(), folderMode)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != os.ModeSocket {
			return nil, fmt.Errorf("%q is there and no socket: name another one", path)
		}
		if conn, err := net.Dial("unix", path); err == nil {
			_ = conn.Close() // that it was made says all
			return nil, fmt.Errorf("another signer listens on %q", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove the socket of a signer that ended: %w", err)
		}
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen for the service: %w", err)
	}
	// Until here only the owner may write to it, and hence connect.
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// signer answers.
type signer struct {
	keys *folder
	log  *slog.Logger
	uids []int

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	ended bool
}

func (s *signer) serve(ctx context.Context, listener *net.UnixListener) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	stop := context.AfterFunc(ctx, func() {
		_ = listener.Close() // it ends the waiting below, closed or not
		s.end()
	})
	defer stop()
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			_ = listener.Close() // err says what happened
			s.end()
			return fmt.Errorf("listen for the service: %w", err)
		}
		if err := s.admit(conn); err != nil {
			s.log.Warn("a caller was refused", "error", err)
			_ = conn.Close() // nothing was said on it
			continue
		}
		serving.Go(func() {
			defer s.leave(conn)
			if err := s.converse(ctx, conn); err != nil && ctx.Err() == nil {
				s.log.Warn("a connection was closed", "error", err)
			}
		})
	}
}

// admit lets a connection in if its user may ask, by the kernel's word.
func (s *signer) admit(conn *net.UnixConn) error {
	uid, err := peerUID(conn)
	if err != nil {
		return fmt.Errorf("learn who calls: %w", err)
	}
	if !slices.Contains(s.uids, uid) {
		return fmt.Errorf("user %d may not ask: allow it with --allow-uid", uid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || len(s.conns) >= maxServed {
		return fmt.Errorf("there are %d connections, and no more are served", len(s.conns))
	}
	s.conns[conn] = struct{}{}
	return nil
}

func (s *signer) leave(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	_ = conn.Close() // all that was to be said has been
}

// end wakes those who wait for a question; an answer under way is still given.
func (s *signer) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for conn := range s.conns {
		_ = conn.SetReadDeadline(time.Now()) // it fails on one that has ended
	}
}

// converse answers one question after another.
func (s *signer) converse(ctx context.Context, conn net.Conn) error {
	for {
		if err := conn.SetReadDeadline(time.Now().Add(servedIdle)); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil // end may have come before the new deadline
		}
		var q question
		if err := readFrame(conn, &q); err != nil {
			if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, io.EOF) || ok && timeout.Timeout() {
				return nil
			}
			return err
		}
		answer := s.answer(ctx, q)
		if err := conn.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
			return err
		}
		if err := writeFrame(conn, answer); err != nil {
			return err
		}
	}
}

func (s *signer) answer(ctx context.Context, q question) (answer reply) {
	var err error
	switch q.Op {
	case opSign: // first: the only frequent one
		answer.Signature, err = s.keys.sign(q.Key, q.Digest)
	case opPublic:
		answer.Public, err = s.keys.public(q.Key)
	case opMake:
		var key *Key
		if key, err = s.keys.make(ctx, q.Algorithm); err == nil {
			s.log.Info("made a key", "kid", key.ID, "algorithm", q.Algorithm)
			answer.Public, err = s.keys.public(key.ID)
		}
	case opDestroy:
		if err = s.keys.destroy(q.Key); err == nil {
			s.log.Info("destroyed a key", "kid", q.Key)
		}
	default:
		err = fmt.Errorf("a signer does not %q", q.Op)
	}
	if err != nil {
		answer.Error = err.Error()
	}
	return answer
}
