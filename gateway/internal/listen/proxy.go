package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol, by https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt.
const (
	v1Begins  = "PROXY "
	v2Begins  = "\r\n\r\n\x00\r\nQUIT\n"
	v1Longest = 107
	// v2Longest bounds what follows the fixed part of a header of version 2. The
	// addresses are 36 bytes at most; the rest are fields, of which load balancers
	// send some dozens of bytes.
	v2Longest = 2048
	// typeCRC32C is the field that holds a checksum over the header.
	typeCRC32C = 0x03
)

// readProxy reads a header of version 1 or 2 and not a byte more. It returns
// whose connection it is; an address that is not valid when it is the balancer's
// own, such as a health check.
func readProxy(r io.Reader) (netip.AddrPort, error) {
	var begin [len(v2Begins)]byte // no header is shorter
	if _, err := io.ReadFull(r, begin[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading the PROXY header: %w", err)
	}
	switch {
	case string(begin[:]) == v2Begins:
		return readV2(r)
	case strings.HasPrefix(string(begin[:]), v1Begins):
		return readV1(r, begin[:])
	default:
		return netip.AddrPort{}, errors.New("the connection does not begin with a PROXY header")
	}
}

// readV1 reads a line. It ends where nobody knows before, and what follows is
// the client's: hence byte by byte, once a connection.
func readV1(r io.Reader, begin []byte) (netip.AddrPort, error) {
	line := append(make([]byte, 0, v1Longest), begin...)
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == v1Longest {
			return netip.AddrPort{}, fmt.Errorf("the PROXY header is longer than %d bytes", v1Longest)
		}
		line = line[:len(line)+1]
		if _, err := io.ReadFull(r, line[len(line)-1:]); err != nil {
			return netip.AddrPort{}, fmt.Errorf("reading the PROXY header: %w", err)
		}
	}
	text := string(line[len(v1Begins) : len(line)-2])
	if text == "UNKNOWN" || strings.HasPrefix(text, "UNKNOWN ") {
		return netip.AddrPort{}, nil // section 2.1: the rest of the line is ignored
	}
	fields := strings.Split(text, " ")
	if len(fields) != 5 || fields[0] != "TCP4" && fields[0] != "TCP6" {
		return netip.AddrPort{}, errors.New("the PROXY header is not: PROXY, TCP4 or TCP6, two addresses and two ports")
	}
	client, err := v1Address(fields[0], fields[1], fields[3])
	if err != nil {
		return netip.AddrPort{}, err
	}
	if _, err := v1Address(fields[0], fields[2], fields[4]); err != nil {
		return netip.AddrPort{}, err
	}
	return from(client)
}

func v1Address(family, address, port string) (netip.AddrPort, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Zone() != "" || addr.Is4() != (family == "TCP4") {
		return netip.AddrPort{}, fmt.Errorf("the PROXY header holds an address that is not of %s", family)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(number, 10) != port {
		return netip.AddrPort{}, errors.New("the PROXY header holds a port that is none")
	}
	return netip.AddrPortFrom(addr, uint16(number)), nil
}

// readV2 reads what follows the signature: version and command, family, length,
// addresses, fields.
func readV2(r io.Reader) (netip.AddrPort, error) {
	var fixed [4]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading the PROXY header: %w", err)
	}
	length := int(binary.BigEndian.Uint16(fixed[2:]))
	if length > v2Longest {
		return netip.AddrPort{}, fmt.Errorf("the PROXY header announces %d bytes, more than %d", length, v2Longest)
	}
	rest := make([]byte, length)
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.AddrPort{}, fmt.Errorf("reading the PROXY header: %w", err)
	}
	var size int // of one address
	switch family := fixed[1]; {
	case fixed[0] == 0x20: // LOCAL: whatever stands there is ignored (section 2.2)
		return netip.AddrPort{}, nil
	case fixed[0] != 0x21:
		return netip.AddrPort{}, fmt.Errorf("the PROXY header has the version and command %#x, which are none", fixed[0])
	case family == 0x00: // UNSPEC, as UNKNOWN above
		return netip.AddrPort{}, nil
	case family == 0x11:
		size = 4
	case family == 0x21:
		size = 16
	default: // datagrams, and sockets of one machine
		return netip.AddrPort{}, fmt.Errorf("the PROXY header is of the family %#x, which is not TCP over IP", family)
	}
	if len(rest) < 2*size+4 {
		return netip.AddrPort{}, fmt.Errorf("the PROXY header has %d bytes, too few for its addresses", len(rest))
	}
	if err := fields(fixed, rest, 2*size+4); err != nil {
		return netip.AddrPort{}, err
	}
	addr, _ := netip.AddrFromSlice(rest[:size])
	return from(netip.AddrPortFrom(addr, binary.BigEndian.Uint16(rest[2*size:])))
}

// fields walks the fields behind the addresses and checks the sum, where there
// is one: who cannot be sure of the header does not know the client.
func fields(fixed [4]byte, rest []byte, at int) error {
	for at < len(rest) {
		if at+3 > len(rest) {
			return errors.New("the PROXY header ends within a field")
		}
		length := int(binary.BigEndian.Uint16(rest[at+1:]))
		end := at + 3 + length
		if end > len(rest) {
			return errors.New("a field of the PROXY header is longer than the header")
		}
		if rest[at] == typeCRC32C {
			if length != 4 {
				return errors.New("the checksum of the PROXY header is not four bytes long")
			}
			said := binary.BigEndian.Uint32(rest[at+3:])
			whole := append(append([]byte(v2Begins), fixed[:]...), rest...)
			sum := whole[len(v2Begins)+len(fixed)+at+3:]
			copy(sum[:4], "\x00\x00\x00\x00") // it stands for itself as zeros
			if crc32.Checksum(whole, crc32.MakeTable(crc32.Castagnoli)) != said {
				return errors.New("the PROXY header does not match its checksum")
			}
		}
		at = end
	}
	return nil
}

// from is the client as everything else here knows it.
func from(client netip.AddrPort) (netip.AddrPort, error) {
	addr := client.Addr().Unmap()
	if addr.IsUnspecified() || addr.IsMulticast() {
		return netip.AddrPort{}, errors.New("the PROXY header holds an address that no client has")
	}
	return netip.AddrPortFrom(addr, client.Port()), nil
}
