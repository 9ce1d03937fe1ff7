package e2e

import (
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// from is a client with another address of this machine.
func (s *system) from(last byte) *http.Client {
	c := s.newClient()
	c.Transport.(*http.Transport).DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, last)}}).DialContext
	return c
}

// TestAStormOfWrongSecretsKeepsNobodyOut: an attacker who fails a thousand times
// in the name of a client waits, and so does nobody else.
func TestAStormOfWrongSecretsKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t, false)
	d.authArgs = append(d.authArgs, "--rate", "400")
	d.startAuth()
	turnedAway := 0
	var storm sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		client := d.newClient()
		storm.Go(func() {
			for range 250 {
				for _, who := range []string{"search", "robot"} {
					a, err := d.tryPost(client, d.authURL+"/token", form("grant_type", "client_credentials", "client_id", who, "client_secret", "wrong").Encode())
					if err != nil || a.status != http.StatusUnauthorized && a.status != http.StatusTooManyRequests {
						t.Errorf("the attacker gets %d %s %v", a.status, a.body, err)
						return
					}
					if a.status == http.StatusTooManyRequests {
						mu.Lock()
						turnedAway++
						mu.Unlock()
						if a.header.Get("Retry-After") == "" {
							t.Error("429 without Retry-After")
						}
					}
				}
			}
		})
	}
	// Meanwhile: another client from the attacker's address, the same client from
	// another address, and the same client by another method from the attacker's.
	good := d.form("gateway", "search")
	own := d.form("search", "reservations")
	elsewhere := d.from(1)
	ended := make(chan struct{})
	go func() { storm.Wait(); close(ended) }()
	served := 0
	tick := time.NewTicker(50 * time.Millisecond) // well within what a client may ask
	defer tick.Stop()
	for over := false; !over; served++ {
		select {
		case <-ended:
			over = true // and once more after it
		case <-tick.C:
		}
		for name, ask := range map[string]func() (answer, error){
			"another client":                func() (answer, error) { return d.tryPost(d.client, d.authURL+"/token", good) },
			"the client at another address": func() (answer, error) { return d.tryPost(elsewhere, d.authURL+"/token", own) },
			"the client's assertion at the same": func() (answer, error) {
				return d.tryPost(d.client, d.authURL+"/token", asserting(d.assertion("robot")).Encode())
			},
		} {
			if a, err := ask(); err != nil || a.status != http.StatusOK {
				t.Fatalf("%s, after %d rounds: %d %s %v", name, served, a.status, a.body, err)
			}
		}
	}
	if turnedAway < 1900 {
		t.Errorf("of 2000 guesses only %d had to wait", turnedAway)
	}
	if a, err := d.tryPost(d.client, d.authURL+"/token", own); err != nil || a.status != http.StatusTooManyRequests {
		t.Errorf("who has failed so often need not wait: %d %s %v", a.status, a.body, err)
	}
}

// form is a token request of a client with its secret.
func (d *desk) form(client, audience string) string {
	return form("grant_type", "client_credentials", "client_id", client, "client_secret", d.secretOf(client), "audience", audience).Encode()
}

// TestAFloodOfSignInsStarvesNoClient: passwords are dear to check, and a flood of
// wrong ones from everywhere is turned away where it waits. Clients, who share
// the processors with it, get their tokens.
func TestAFloodOfSignInsStarvesNoClient(t *testing.T) {
	t.Parallel()
	d := newDesk(t, true)
	d.startAuth()
	guest := d.member("guest@hotel.test")
	var flood sync.WaitGroup
	for i := range 12 {
		client := d.from(byte(1 + i))
		flood.Go(func() {
			for range 4 {
				a, err := d.tryPost(client, d.authURL+"/signin", form("email", guest.email, "password", "wrong staple of a stranger").Encode())
				if err != nil || a.status != http.StatusForbidden && a.status != http.StatusServiceUnavailable && a.status != http.StatusTooManyRequests {
					t.Errorf("who guesses gets %d %v", a.status, err)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { flood.Wait(); close(ended) }()
	served := 0
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for over := false; !over; served++ {
		select {
		case <-ended:
			over = true
		case <-tick.C:
		}
		d.credentials("robot", audience)
	}
	if a := guest.signIn(); a.status != http.StatusSeeOther {
		t.Errorf("the person, at their own address: %d", a.status)
	}
	t.Logf("%d tokens were issued meanwhile", served)
}
