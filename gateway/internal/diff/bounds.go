package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"portcullis/policies/policy"
)

// at is where a value stands, or else what it belongs to.
func at[T any](v policy.Value[T], otherwise policy.Pos) policy.Pos {
	if v.Set && v.Pos.File != "" {
		return v.Pos
	}
	return otherwise
}

// higher reports a bound that lets more through when it is raised.
func (c *comparison) higher(pos policy.Pos, what string, was, is int) {
	c.bound(pos, what, was < is, was > is, fmt.Sprint(was), fmt.Sprint(is))
}

// lower reports a bound that lets more through when it is lowered.
func (c *comparison) lower(pos policy.Pos, what string, was, is int) {
	c.bound(pos, what, was > is, was < is, fmt.Sprint(was), fmt.Sprint(is))
}

func (c *comparison) sizes(pos policy.Pos, what string, was, is int64) {
	c.bound(pos, what, was < is, was > is, policy.FormatSize(was), policy.FormatSize(is))
}

func (c *comparison) longer(pos policy.Pos, what string, was, is time.Duration) {
	c.bound(pos, what, was < is, was > is, policy.FormatDuration(was), policy.FormatDuration(is))
}

func (c *comparison) bound(pos policy.Pos, what string, wider, narrower bool, was, is string) {
	switch text := fmt.Sprintf("%s %s (before: %s)", what, is, was); {
	case wider:
		c.say(Widens, pos, text)
	case narrower:
		c.say(Narrows, pos, text)
	}
}

// differs notes a change that lets nobody through.
func differs[T comparable](c *comparison, pos policy.Pos, what string, was, is T, write func(T) string) {
	if was != is {
		c.say(Changes, pos, fmt.Sprintf("%s %s (before: %s)", what, write(is), write(was)))
	}
}

// bounds compares how much of a route may be used.
func (c *comparison) bounds(old, now *served) {
	c.sizes(at(now.Effective.Body, now.Pos), "takes bodies up to", old.Effective.Body.V, now.Effective.Body.V)
	c.higher(at(now.Effective.Capacity, now.Pos), "requests under way at once:", old.Effective.Capacity.V, now.Effective.Capacity.V)
	differs(c, at(now.Effective.Timeout, now.Pos), "timeout", old.Effective.Timeout.V, now.Effective.Timeout.V, policy.FormatDuration)
	if now.WebSocket.V && !old.WebSocket.V {
		c.say(Widens, now.WebSocket.Pos, "takes WebSockets")
	} else if old.WebSocket.V && !now.WebSocket.V {
		c.say(Narrows, at(now.WebSocket, now.Pos), "takes no WebSockets any more")
	}
	if now.EncodedSlash.V && !old.EncodedSlash.V {
		c.say(Widens, now.EncodedSlash.Pos, "takes paths with an escaped slash (%2F)")
	} else if old.EncodedSlash.V && !now.EncodedSlash.V {
		c.say(Narrows, at(now.EncodedSlash, now.Pos), "takes no paths with an escaped slash any more")
	}
}

// validation compares what bodies must look like. Of two schemas nobody can say
// which takes more, unless they are the same.
func (c *comparison) validation(old, now *served) {
	was, is := old.Validate, now.Validate
	switch {
	case was == nil && is == nil:
	case was == nil || !enforced(was.Mode):
		if is != nil && enforced(is.Mode) {
			c.say(Narrows, is.Pos, "bodies must be as "+is.Schema.V+" says")
		} else if was == nil {
			c.say(Changes, is.Pos, "body validation in shadow: "+is.Schema.V)
		}
	case is == nil:
		c.gone(Widens, was.Pos, "bodies are not validated any more (before: "+was.Schema.V+")")
	case !enforced(is.Mode):
		c.say(Widens, is.Pos, "body validation is in shadow and refuses nothing: "+is.Schema.V)
	case !sameSchema(old.side.doc, was.Schema.V, now.side.doc, is.Schema.V):
		c.say(Unproved, is.Pos, "bodies must be as "+is.Schema.V+" says, which has changed")
	}
}

func sameSchema(old *policy.Document, was string, now *policy.Document, is string) bool {
	before, had := old.File(was)
	after, has := now.File(is)
	if !had || !has {
		return false
	}
	if bytes.Equal(before, after) {
		return true
	}
	a, okA := decoded(before)
	b, okB := decoded(after)
	return okA && okB && reflect.DeepEqual(a, b)
}

func decoded(data []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err == nil && !d.More()
}
