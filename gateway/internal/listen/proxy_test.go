package listen

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/netip"
	"strings"
	"testing"
)

const next = "\x16\x03\x01 the client's hello"

// v2 makes a header of version 2.
func v2(command, family byte, rest string) string {
	return v2Begins + string([]byte{command, family}) + string(binary.BigEndian.AppendUint16(nil, uint16(len(rest)))) + rest
}

// summed is a header of version 2 with a checksum, off by wrong.
func summed(wrong uint32) string {
	const addresses = "\xcb\x00\x71\x07\x0a\x00\x00\x01\x01\x00\x01\xbb"
	whole := v2(0x21, 0x11, addresses+"\x03\x00\x04\x00\x00\x00\x00")
	sum := crc32.Checksum([]byte(whole), crc32.MakeTable(crc32.Castagnoli)) + wrong
	return v2(0x21, 0x11, addresses+"\x03\x00\x04"+string(binary.BigEndian.AppendUint32(nil, sum)))
}

func TestAHeaderSaysWhoTheClientIsOrIsRefused(t *testing.T) {
	t.Parallel()
	const four = "\xcb\x00\x71\x07\x0a\x00\x00\x01\x01\x00\x01\xbb"
	six := "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x07" + strings.Repeat("\x01", 16) + "\x01\x00\x01\xbb"
	const own, refused = "its own", "refused"
	for name, c := range map[string]struct{ header, want string }{
		"version 1, IPv4":                                  {"PROXY TCP4 203.0.113.7 10.0.0.1 256 443\r\n", "203.0.113.7:256"},
		"version 1, IPv6":                                  {"PROXY TCP6 2001:db8::7 2001:db8::1 256 443\r\n", "[2001:db8::7]:256"},
		"version 1, IPv4 written as IPv6":                  {"PROXY TCP6 ::ffff:203.0.113.7 ::1 256 443\r\n", "203.0.113.7:256"},
		"version 1, nobody's, as health checks are":        {"PROXY UNKNOWN\r\n", own},
		"version 1, nobody's, with addresses all the same": {"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", own},
		"version 1, the longest there is":                  {"PROXY UNKNOWN " + strings.Repeat("f", 91) + "\r\n", own},
		"version 1, longer":                                {"PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n", refused},
		"version 1 without an end":                         {"PROXY TCP4 " + strings.Repeat("1", 200), refused},
		"version 1 that ends with a bare line feed":        {"PROXY TCP4 203.0.113.7 10.0.0.1 256 443\n", refused},
		"version 1 of another family than its address":     {"PROXY TCP4 2001:db8::7 2001:db8::1 256 443\r\n", refused},
		"version 1 with a zone":                            {"PROXY TCP6 fe80::1%eth0 ::1 256 443\r\n", refused},
		"version 1 with an octal address":                  {"PROXY TCP4 0203.0.113.7 10.0.0.1 256 443\r\n", refused},
		"version 1 with a port too large":                  {"PROXY TCP4 203.0.113.7 10.0.0.1 65536 443\r\n", refused},
		"version 1 with a port of leading zeros":           {"PROXY TCP4 203.0.113.7 10.0.0.1 0256 443\r\n", refused},
		"version 1 with a sign before the port":            {"PROXY TCP4 203.0.113.7 10.0.0.1 +256 443\r\n", refused},
		"version 1 with two spaces":                        {"PROXY TCP4  203.0.113.7 10.0.0.1 256 443\r\n", refused},
		"version 1 with something behind":                  {"PROXY TCP4 203.0.113.7 10.0.0.1 256 443 x\r\n", refused},
		"version 1 of a word that begins like UNKNOWN":     {"PROXY UNKNOWNS\r\n", refused},
		"version 1 from nowhere":                           {"PROXY TCP4 0.0.0.0 10.0.0.1 256 443\r\n", refused},
		"version 1 in lower case":                          {"proxy TCP4 203.0.113.7 10.0.0.1 256 443\r\n", refused},
		"version 2, IPv4":                                  {v2(0x21, 0x11, four), "203.0.113.7:256"},
		"version 2, IPv6":                                  {v2(0x21, 0x21, six), "[2001:db8::7]:256"},
		"version 2 with further fields":                    {v2(0x21, 0x11, four+"\x04\x00\x03abc\xea\x00\x00"), "203.0.113.7:256"},
		"version 2 with its checksum":                      {summed(0), "203.0.113.7:256"},
		"version 2 with another checksum":                  {summed(1), refused},
		"version 2 with half a checksum":                   {v2(0x21, 0x11, four+"\x03\x00\x02ab"), refused},
		"version 2 that ends within a field":               {v2(0x21, 0x11, four+"\x04\x00"), refused},
		"version 2 with a field longer than the header":    {v2(0x21, 0x11, four+"\x04\x00\x09abc"), refused},
		"version 2 of the balancer itself":                 {v2(0x20, 0x11, "whatever"), own},
		"version 2 of the balancer itself, with nothing":   {v2(0x20, 0x00, ""), own},
		"version 2 of no family":                           {v2(0x21, 0x00, "x"), own},
		"version 2 of datagrams":                           {v2(0x21, 0x12, four), refused},
		"version 2 of a socket of one machine":             {v2(0x21, 0x31, strings.Repeat("a", 216)), refused},
		"version 2 with too few bytes for its addresses":   {v2(0x21, 0x11, four[:11]), refused},
		"version 2 of IPv6 with an address of IPv4":        {v2(0x21, 0x21, four), refused},
		"version 2 with an unknown command":                {v2(0x22, 0x11, four), refused},
		"version 3":                                        {v2(0x31, 0x11, four), refused},
		"version 2 with as many fields as are read":        {v2(0x21, 0x11, four+"\xea"+string(binary.BigEndian.AppendUint16(nil, v2Longest-15))+strings.Repeat("x", v2Longest-15)), "203.0.113.7:256"},
		"version 2 with more":                              {v2(0x21, 0x11, four+"\xea"+string(binary.BigEndian.AppendUint16(nil, v2Longest-14))+strings.Repeat("x", v2Longest-14)), refused},
		"version 2 that is cut off":                        {v2(0x21, 0x11, four)[:20], refused},
		"a client that speaks TLS at once":                 {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 random", refused},
		"a client that speaks HTTP at once":                {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", refused},
		"nothing":                                          {"", refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := strings.NewReader(c.header + next)
			if c.want == refused {
				in = strings.NewReader(c.header)
			}
			client, err := readProxy(in)
			got := client.String()
			switch {
			case err != nil:
				got = refused
			case !client.IsValid():
				got = own
			}
			if got != c.want {
				t.Fatalf("the client is %s (%v), want %s", got, err, c.want)
			}
			if rest, _ := io.ReadAll(in); err == nil && string(rest) != next {
				t.Errorf("of what the client sends, %q is left", rest)
			}
		})
	}
}

// Whatever arrives, a header that is taken is one by its letters, not a byte
// behind it is touched, and no client is of an address that nobody has.
func FuzzReadProxy(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.7 10.0.0.1 256 443\r\n" + next))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(summed(0) + next))
	f.Add([]byte(v2(0x20, 0, "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bytes.NewReader(data)
		client, err := readProxy(in)
		if err != nil {
			return
		}
		header := data[:len(data)-in.Len()]
		if v1 := bytes.HasPrefix(header, []byte(v1Begins)); v1 && (bytes.Index(header, []byte("\r\n")) != len(header)-2 || len(header) > v1Longest) {
			t.Fatalf("%q was taken for a header", header)
		} else if !v1 && int(binary.BigEndian.Uint16(header[14:]))+16 != len(header) {
			t.Fatalf("%d bytes were taken of the header %q", len(header), header)
		}
		if client.IsValid() && (client.Addr().IsUnspecified() || client.Addr().Is4In6() || client.Addr() == netip.IPv4Unspecified()) {
			t.Fatalf("%q is from %v", header, client)
		}
	})
}
