package keyring

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

func frame(size uint32, text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, size), text...)
}

func TestFramesThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":               {nil, "EOF"},
		"half a length":         {[]byte{0, 0}, "unexpected EOF"},
		"less than it says":     {frame(20, "{}"), "unexpected EOF"},
		"none of what it says":  {frame(20, ""), "unexpected EOF"},
		"more than is read":     {frame(maxFrame+1, ""), "longer than"},
		"the most that fits":    {frame(0xffffffff, "{}"), "longer than"},
		"no JSON":               {frame(3, "abc"), "not the JSON"},
		"empty":                 {frame(0, ""), "not the JSON"},
		"an unknown member":     {frame(18, `{"op":"","more":1}`), "not the JSON"},
		"two values":            {frame(4, "{}{}"), "after its JSON"},
		"a number for a string": {frame(8, `{"op":1}`), "not the JSON"},
	} {
		var q question
		if err := readFrame(bytes.NewReader(c.data), &q); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := writeFrame(io.Discard, question{Digest: make([]byte, maxFrame)}); err == nil {
		t.Error("a message that nobody reads was sent")
	}
}

func FuzzFrame(f *testing.F) {
	for _, q := range []question{{}, {Op: opMake, Algorithm: "ES256"}, {Op: opSign, Key: "k", Digest: make([]byte, 32)}} {
		var out bytes.Buffer
		if err := writeFrame(&out, q); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
	}
	f.Add(frame(maxFrame+1, ""))
	f.Add(frame(2, "{}{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		var q question
		err := readFrame(r, &q)
		if used := len(data) - r.Len(); len(data) >= 4 && used > 4 && used > 4+int(binary.BigEndian.Uint32(data)) {
			t.Fatalf("%d bytes were read, more than it said", used)
		}
		if err != nil {
			return
		}
		// What was read is sent and read again as the same.
		var out bytes.Buffer
		if err := writeFrame(&out, q); err != nil {
			if len(data) > maxFrame/8 { // escaping makes text longer
				return
			}
			t.Fatal(err)
		}
		var again question
		if err := readFrame(&out, &again); err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(q)
		b, _ := json.Marshal(again)
		if !bytes.Equal(a, b) {
			t.Fatalf("%s became %s", a, b)
		}
	})
}
