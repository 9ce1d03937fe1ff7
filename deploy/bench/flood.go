package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// floodRounds is odd as rounds is, and each is short: others on the machine
	// disturb its parts alike.
	floodRounds = 11
	floodFor    = 1500 * time.Millisecond
	// goodRate is how many tokens the guests ask for in a second, together: each
	// well below what is one client's from one source.
	goodRate = 300
	// wrongRate is how many wrong secrets a second.
	wrongRate = 1000
	// attackers are the sources they come from: half of what one may ask for is
	// left to each, so that no limit helps.
	attackers = 20
	// goalFlood is how many times longer the slowest hundredth may wait.
	goalFlood = 2.0
)

// flood is what happens beside the guests.
type flood struct {
	name string
	// wrong names whose secret is guessed at the ith time; nil: nobody's.
	wrong func(i int) string
	p99   []float64 // ms, by round
	p50   []float64
	// answers to the guesses, by status.
	answers map[int]int
}

func floods() []*flood {
	return []*flood{
		{name: "good clients alone"},
		{name: "beside wrong secrets for names made up", answers: map[int]int{}, wrong: func(i int) string { return fmt.Sprintf("stranger-%d", i) }},
		{name: "beside wrong secrets for their own names", answers: map[int]int{}, wrong: func(i int) string { return guest(i % guests) }},
	}
}

// crowd is who asks: each from a loopback address of its own.
type crowd struct {
	guests, attackers []*asker
	proofs            []string
	guessed           int // a name is made up once, so that no back-off helps
}

func (s *system) newCrowd() (*crowd, error) {
	c := &crowd{}
	for i := range guests {
		secret, err := s.secret(s.auth, guest(i))
		if err != nil {
			return nil, err
		}
		c.guests = append(c.guests, s.newAsker(s.auth, net.IPv4(127, 0, 1, byte(i+1))))
		c.proofs = append(c.proofs, basic(guest(i), secret))
	}
	for i := range attackers {
		c.attackers = append(c.attackers, s.newAsker(s.auth, net.IPv4(127, 0, 0, byte(i+2))))
	}
	return c, nil
}

// suffer measures how long the guests wait during each flood.
func (c *crowd) suffer(ctx context.Context, all []*flood, progress io.Writer) error {
	for round := range floodRounds + 1 {
		if round == 0 {
			fmt.Fprintln(progress, "wrong secrets: warming up")
		} else {
			fmt.Fprintf(progress, "wrong secrets: round %d of %d\n", round, floodRounds)
		}
		for i := range all {
			f := all[i]
			if round%2 == 1 {
				f = all[len(all)-1-i]
			}
			took, err := c.during(ctx, f)
			if err != nil {
				return err
			}
			if round > 0 {
				f.p50 = append(f.p50, ms(quantile(took, 0.5)))
				f.p99 = append(f.p99, ms(quantile(took, 0.99)))
			}
		}
	}
	return nil
}

// during lets the guests ask while the flood lasts.
func (c *crowd) during(ctx context.Context, f *flood) ([]time.Duration, error) {
	ended := make(chan error, 1)
	statuses := make(chan int, wrongRate*int(floodFor/time.Millisecond)/1000)
	go func() {
		if f.wrong == nil {
			ended <- nil
			return
		}
		begin := c.guessed
		c.guessed += cap(statuses)
		_, err := paced(ctx, wrongRate, cap(statuses), func(ctx context.Context, i int) error {
			status, _, err := c.attackers[i%attackers].post(ctx, "/token", basic(f.wrong(begin+i), "pcs_wrong_0123456789012345678901234567890123456789012"), ownToken("gateway"))
			statuses <- status
			return err
		})
		ended <- err
	}()
	took, err := paced(ctx, goodRate, goodRate*int(floodFor/time.Millisecond)/1000, func(ctx context.Context, i int) error {
		_, err := c.guests[i%guests].token(ctx, c.proofs[i%guests], ownToken("gateway"))
		return err
	})
	if other := <-ended; err == nil {
		err = other
	}
	close(statuses)
	for status := range statuses {
		f.answers[status]++
	}
	return took, err
}

func reportFloods(w io.Writer, all []*flood) error {
	var out strings.Builder
	fmt.Fprintf(&out, "\nWrong secrets: ms from when a good client's request is due to its token, median over %d rounds of %v (least-most).\n"+
		"%d requests a second of %d clients, beside %d wrong secrets a second from %d addresses, limits as shipped.\n\n",
		floodRounds, floodFor, goodRate, guests, wrongRate, attackers)
	base := all[0]
	for _, f := range all {
		fmt.Fprintf(&out, "%-46s p50 %6.1f   p99 %6.1f  (%.1f-%.1f)", f.name, median(f.p50), median(f.p99), slices.Min(f.p99), slices.Max(f.p99))
		if f != base {
			each := make([]float64, floodRounds)
			for i := range each {
				each[i] = f.p99[i] / base.p99[i]
			}
			fmt.Fprintf(&out, "  %5.2fx (goal %.1f)  %s", median(each), goalFlood, f.answered())
		}
		out.WriteString("\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// answered says how the guesses were answered.
func (f *flood) answered() string {
	sum := 0
	for _, n := range f.answers {
		sum += n
	}
	return fmt.Sprintf("%d%% checked, %d%% turned away", 100*f.answers[http.StatusUnauthorized]/sum, 100*f.answers[http.StatusTooManyRequests]/sum)
}
