package main

import (
	"fmt"
	"net"
	"strconv"
)

// The ports as they are with the default base. PORT_BASE=N moves all of them by
// N-8000: with 20000 the gateway is at 20443 and its ops port at 21901.
const (
	defaultBase = 8000

	gatewayPort      = 8443
	authserverPort   = 8444
	searchPort       = 9101
	reservationsPort = 9102
	paymentsPort     = 9103
	usersPort        = 9104
	reportingPort    = 9105
	bookingPort      = 9106
	inboxPort        = 9107
	bankPort         = 9108
	auroraPort       = 9109
	balticPort       = 9110
	searchOps        = 9111
	reservationsOps  = 9112
	paymentsOps      = 9113
	usersOps         = 9114
	reportingOps     = 9115
	bookingOps       = 9116
	sandboxOps       = 9117
	mailPort         = 9125
	gatewayOps       = 9901
	authserverOps    = 9902

	minBase = 1000
	maxBase = 63000 // the highest port is 1902 above the base
)

// base is what all ports are counted from.
type base int

// address is where the program of a default port is: localhost:8443.
func (b base) address(port int) string {
	return net.JoinHostPort("localhost", strconv.Itoa(port-defaultBase+int(b)))
}

// parseBase reads PORT_BASE; empty means the default.
func parseBase(text string) (base, error) {
	if text == "" {
		return defaultBase, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < minBase || n > maxBase {
		return 0, fmt.Errorf("the port base %q (--port-base, PORT_BASE) is not a number from %d to %d", text, minBase, maxBase)
	}
	return base(n), nil
}
