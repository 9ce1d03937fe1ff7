package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// statEvery is how often the files are looked at, at most: a handshake costs
// far more than a second's worth of looking.
const statEvery = time.Second

// Reloader holds a TLS identity that follows its files: a handshake after they
// changed uses what they hold now. Files that cannot be used leave the old
// identity in place.
type Reloader struct {
	files      Files
	clientAuth bool
	log        *slog.Logger

	current atomic.Pointer[identity]
	looked  atomic.Int64 // unix nanoseconds of the last look
	mu      sync.Mutex   // held while looking
	failed  stamp        // what the files were when they last could not be used
}

// identity is what the files held at one time.
type identity struct {
	stamp stamp
	pair  *tls.Certificate // nil for a client without a certificate
	pool  *x509.CertPool   // nil for the system's
}

// stamp tells versions of files apart without reading them.
type stamp [3]struct {
	size int64
	time time.Time
}

// read loads the files. The stamp is taken before the bytes, so that a change
// in between is found by the next look.
func read(files Files, now time.Time) (*identity, error) {
	id := &identity{stamp: look(files)}
	if files.Cert != "" || files.Key != "" {
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			return nil, fmt.Errorf("loading the certificate %q with the key %q: %w", files.Cert, files.Key, err)
		}
		if now.After(pair.Leaf.NotAfter) {
			return nil, fmt.Errorf("the certificate %q expired on %s", files.Cert, pair.Leaf.NotAfter.Format(time.DateOnly))
		}
		id.pair = &pair
	}
	if files.CA != "" {
		text, err := os.ReadFile(files.CA)
		if err != nil {
			return nil, fmt.Errorf("loading the authorities: %w", err)
		}
		id.pool = x509.NewCertPool()
		if !id.pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("the file %q holds no PEM certificate", files.CA)
		}
	}
	return id, nil
}

func look(files Files) (s stamp) {
	for i, path := range []string{files.Cert, files.Key, files.CA} {
		if info, err := os.Stat(path); err == nil {
			s[i].size, s[i].time = info.Size(), info.ModTime()
		}
	}
	return s
}

// identity is the one in force, after a look at the files when it is time for
// one. One handshake looks; the others go on with what there is.
func (r *Reloader) identity() *identity {
	now := time.Now()
	if now.UnixNano()-r.looked.Load() < int64(statEvery) || !r.mu.TryLock() {
		return r.current.Load()
	}
	defer r.mu.Unlock()
	r.looked.Store(now.UnixNano())
	held := r.current.Load()
	seen := look(r.files)
	if seen == held.stamp || seen == r.failed {
		return held
	}
	fresh, err := read(r.files, now)
	if err != nil {
		r.failed = seen
		r.log.Error("certificate files changed but cannot be used; the old ones stay in force", "error", err)
		return held
	}
	r.failed = stamp{}
	r.current.Store(fresh)
	r.log.Info("certificate files were re-read", "file", r.files.Cert)
	return fresh
}

// Expires is when the certificate in force ends; the zero time without one.
func (r *Reloader) Expires() time.Time {
	if pair := r.identity().pair; pair != nil {
		return pair.Leaf.NotAfter
	}
	return time.Time{}
}

func newReloader(files Files, clientAuth bool, log *slog.Logger) (*Reloader, error) {
	if (files.Cert == "") != (files.Key == "") {
		return nil, errors.New("a certificate and its key go together: give both files or none")
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	now := time.Now()
	id, err := read(files, now)
	if err != nil {
		return nil, err
	}
	r := &Reloader{files: files, clientAuth: clientAuth, log: log}
	r.current.Store(id)
	r.looked.Store(now.UnixNano())
	return r, nil
}
