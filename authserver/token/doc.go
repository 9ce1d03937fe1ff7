// Package token is the token service's public contract: what an access token
// says (Principal), how one is checked without calling anyone (Issuer,
// Verifier), how one is asked for (Source), and how a service lets in only who
// has one (Guard). The gateway and every service use the same checks, so that
// no door is weaker than the front door.
//
// A token is checked in this order, the cheap before the dear: its spelling and
// header, its claims, then its signature. What passed is remembered for at most
// a minute, and not beyond a change of the issuer's keys.
package token
