package keyring

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxFolder bounds the keys of a signer: a service has two, and whoever
	// takes it over must not fill the disk.
	maxFolder = 64
	keySuffix = ".key"
	lockFile  = "lock"
)

// folder is a signer's keys: a sealed file for each, all open in memory.
type folder struct {
	dir   string
	vault *Sealed
	lock  *os.File

	mu   sync.RWMutex
	keys map[string]*Key // by kid
}

// filed is a key in its file.
type filed struct {
	Algorithm string `json:"algorithm"`
	Public    []byte `json:"public"`
	Sealed    []byte `json:"sealed"`
}

// openFolder opens all keys of a folder that no other process has open.
func openFolder(ctx context.Context, dir string, vault *Sealed) (_ *folder, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the signer's keys: %w", err)
	}
	f := &folder{dir: dir, vault: vault, keys: map[string]*Key{}}
	if f.lock, err = os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("open the signer's keys: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.lock.Close())
		}
	}()
	if err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("another signer has the keys in %q open: %w", dir, err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"+keySuffix))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		key, err := f.read(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("open the signer's key in %q: %w", name, err)
		}
		f.keys[key.ID] = key
	}
	return f, nil
}

func (f *folder) read(ctx context.Context, name string) (*Key, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var stored filed
	if err := json.Unmarshal(text, &stored); err != nil {
		return nil, errors.New("it is not the JSON that was written: restore it or remove it")
	}
	id := strings.TrimSuffix(filepath.Base(name), keySuffix)
	public, err := publicHalf(StoredKey{ID: id, Algorithm: stored.Algorithm, Public: stored.Public})
	if err != nil {
		return nil, err
	}
	signer, err := f.vault.Open(ctx, stored.Sealed, public)
	if err != nil {
		return nil, err
	}
	return &Key{ID: id, Algorithm: jose.SignatureAlgorithm(stored.Algorithm), Signer: signer}, nil
}

// make makes a key; it is durable when it returns. Others sign meanwhile.
func (f *folder) make(ctx context.Context, alg string) (*Key, error) {
	if err := f.room(); err != nil {
		return nil, err
	}
	sealed, public, err := f.vault.Make(ctx, alg)
	if err != nil {
		return nil, err
	}
	signer, err := f.vault.Open(ctx, sealed, public)
	if err != nil {
		return nil, err
	}
	id, err := thumbprint(public)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(filed{Algorithm: alg, Public: der, Sealed: sealed})
	if err != nil {
		return nil, err
	}
	name, err := draft(f.dir, string(text))
	if err == nil {
		err = errors.Join(os.Rename(name, f.path(id)), syncDir(f.dir))
	}
	if err != nil {
		return nil, errors.New("a new key could not be written") // the caller need not know our disk
	}
	key := &Key{ID: id, Algorithm: jose.SignatureAlgorithm(alg), Signer: signer}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[id] = key
	return key, nil
}

// room fails when there are too many keys, or nearly: those that are being
// made now are not counted.
func (f *folder) room() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.keys) < maxFolder {
		return nil
	}
	return fmt.Errorf("there are %d keys, which is as many as a signer holds: remove those from its folder that authserver keys list does not show", len(f.keys))
}

// path is that of a kid which we made, never one that somebody sent.
func (f *folder) path(id string) string { return filepath.Join(f.dir, id+keySuffix) }

func (f *folder) key(id string) (*Key, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if key := f.keys[id]; key != nil {
		return key, nil
	}
	return nil, errors.New("there is no such key")
}

func (f *folder) public(id string) ([]byte, error) {
	key, err := f.key(id)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(key.Signer.Public())
}

func (f *folder) sign(id string, digest []byte) ([]byte, error) {
	key, err := f.key(id)
	if err != nil {
		return nil, err
	}
	if len(digest) != crypto.SHA256.Size() {
		return nil, errors.New("only digests of SHA-256 are signed")
	}
	return key.Signer.Sign(rand.Reader, digest, crypto.SHA256)
}

// destroy removes a key, if it is there.
func (f *folder) destroy(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keys[id] == nil {
		return nil // and id stays out of the path
	}
	if err := errors.Join(os.Remove(f.path(id)), syncDir(f.dir)); err != nil {
		return errors.New("the key's file could not be removed")
	}
	delete(f.keys, id)
	return nil
}

func (f *folder) close() error { return f.lock.Close() }
