package keyring

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxFrame bounds a message between service and signer; the largest has a few
// hundred bytes.
const maxFrame = 64 << 10

// The questions to a signer. There is none for a private key.
const (
	opMake    = "make"    // a key for Algorithm: answers Public
	opPublic  = "public"  // of Key: answers Public
	opSign    = "sign"    // Digest with Key: answers Signature
	opDestroy = "destroy" // Key, whether or not it is there
)

// question is what a service asks a signer.
type question struct {
	Op        string `json:"op"`
	Algorithm string `json:"algorithm,omitempty"`
	Key       string `json:"key,omitempty"` // a kid
	Digest    []byte `json:"digest,omitempty"`
}

// reply is what it is told.
type reply struct {
	Public    []byte `json:"public,omitempty"` // SubjectPublicKeyInfo in DER
	Signature []byte `json:"signature,omitempty"`
	Error     string `json:"error,omitempty"`
}

// writeFrame sends a message: its length in four bytes, then JSON.
func writeFrame(w io.Writer, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(text) > maxFrame {
		return fmt.Errorf("a message of %d bytes is longer than the %d that are sent", len(text), maxFrame)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(text)), uint32(len(text)))
	_, err = w.Write(append(frame, text...))
	return err
}

// readFrame receives one message and nothing beyond it. io.EOF means that the
// other side was done.
func readFrame(r io.Reader, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return fmt.Errorf("a message of %d bytes is longer than the %d that are read", size, maxFrame)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(message); err != nil {
		return errors.New("a message is not the JSON of a question or a reply")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("a message has something after its JSON")
	}
	return nil
}
