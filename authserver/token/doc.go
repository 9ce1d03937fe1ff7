// Package token is the token service's public contract: what an access token
// says (Principal), how one is checked without calling anyone (Issuer,
// Verifier), how one is asked for (Source, Exchanger) and by whom (ClientKey),
// how one is withdrawn (Revocations), and how a service lets in only who has one
// (Guard). The gateway and every service use the same checks, so that no door is
// weaker than the front door.
//
// A token is checked in this order, the cheap before the dear: its spelling and
// header, its claims, its signature, then whether it was revoked. What passed is
// remembered for at most a minute, and not beyond a change of the issuer's keys;
// what was revoked since is seen each time.
package token
