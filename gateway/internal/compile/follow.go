package compile

import (
	"context"
	"time"

	"portcullis/authserver/token"
	"portcullis/policies/policy"
)

// Feed is whose revocations are followed, and how old they may grow.
type Feed struct {
	Issuer string // its URL
	CA     string // file of certificates trusted for it besides the system's; may be empty
	Stale  time.Duration
	Then   string // deny or allow
}

// follower keeps step with an issuer's revocations until it is stopped. It
// outlives the snapshots that use it: a list that began anew with every edit
// would leave a moment in which nothing is known to be revoked.
type follower struct {
	*token.Revocations
	stop context.CancelFunc
}

// follow returns the revocations of an issuer, or nil when its policy has none
// followed. The one of the snapshot before goes on if its terms stayed.
func (b *build) follow(p *policy.Issuer) (*token.Revocations, error) {
	if !p.Follows {
		return nil, nil
	}
	feed := Feed{Issuer: p.URL.V, CA: p.CA.V, Stale: p.Revocations.Stale.V, Then: p.Revocations.Then.V}
	for _, from := range []*state{b.next, b.prev} {
		if kept := from.followers[feed]; kept != nil {
			b.next.followers[feed] = kept
			return kept.Revocations, nil
		}
	}
	made, err := b.Follow(feed)
	if made == nil || err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	b.next.followers[feed] = &follower{made, stop}
	go made.Run(ctx)
	return made, nil
}

// stop ends what only from follows.
func stop(from, keep *state) {
	for feed, f := range from.followers {
		if keep.followers[feed] != f {
			f.stop()
		}
	}
}
