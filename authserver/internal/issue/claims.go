package issue

// claims are those of RFC 9068 2.2 and RFC 8693 4, in the order they are
// written.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	ID       string   `json:"jti"`
	Client   string   `json:"client_id"`
	Scope    string   `json:"scope,omitempty"`
	Act      *Actor   `json:"act,omitempty"`
	MayAct   *Actor   `json:"may_act,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`
	Lineage  []string `json:"lineage,omitempty"`
}

// Actor is one link of a delegation (RFC 8693 4.1).
type Actor struct {
	Subject string `json:"sub"`
	Act     *Actor `json:"act,omitempty"`
}

// Nest writes a chain, who acts now first, as RFC 8693 4.1 does: who acts now is
// outermost. It is nil for none.
func Nest(chain []string) *Actor {
	if len(chain) == 0 {
		return nil
	}
	return &Actor{chain[0], Nest(chain[1:])}
}

// MayAct names the one client that may act; nil for none (RFC 8693 4.4).
func MayAct(client string) *Actor {
	if client == "" {
		return nil
	}
	return &Actor{Subject: client}
}
