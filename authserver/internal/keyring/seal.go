package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	sealBytes = 32  // the key of AES-256
	sealFile  = 256 // the most that is read of a seal's file; it has 45 bytes
)

// key returns what encrypts; mayMake allows to make a file that is missing.
func (s *Sealed) key(mayMake bool) (cipher.AEAD, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aead != nil {
		return s.aead, nil
	}
	err := s.read()
	if errors.Is(err, fs.ErrNotExist) && mayMake {
		if err = makeSeal(s.file); err == nil {
			err = s.read()
		}
	}
	return s.aead, err
}

// read takes the key from the file.
func (s *Sealed) read() error {
	f, err := os.Open(s.file)
	if err != nil {
		return fmt.Errorf("read the seal of the signing keys: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read the seal of the signing keys: %w", err)
	}
	if others := info.Mode().Perm() & 0o077; others != 0 {
		return fmt.Errorf("the file %q seals the signing keys and others may open it (mode %04o): run chmod 600 on it", s.file, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, sealFile))
	if err != nil {
		return fmt.Errorf("read the seal of the signing keys: %w", err)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != sealBytes {
		return fmt.Errorf("the file %q is not the seal of signing keys: it must hold %d bytes in base64 (head -c%[2]d /dev/urandom | base64)", s.file, sealBytes)
	}
	s.aead, err = newSeal(key)
	return err
}

func newSeal(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// makeSeal makes the file, complete and durable under its name from the first
// moment, and leaves one alone that another process made meanwhile.
func makeSeal(path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("make the seal of the signing keys: %w", err)
		}
	}()
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var key [sealBytes]byte
	_, _ = rand.Read(key[:]) // never fails
	name, err := draft(dir, base64.StdEncoding.EncodeToString(key[:])+"\n")
	if err != nil {
		return err
	}
	defer os.Remove(name)
	if err := os.Link(name, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// draft writes a durable file that only its owner can read.
func draft(dir, text string) (name string, err error) {
	f, err := os.CreateTemp(dir, ".draft-*") // made with mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
