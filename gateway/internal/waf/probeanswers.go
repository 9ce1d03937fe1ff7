package waf

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
)

// leakTexts are what an answer must not hold, one for each kind of rules, and
// plainTexts what any may.
var (
	leakTexts = []string{
		"<title>Index of /backup</title><h1>Index of /backup</h1>",
		"You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version",
		"ORA-00942: table or view does not exist",
		"java.lang.NullPointerException\n\tat org.hotel.Booking.find(Booking.java:42)",
		`<?php $db = mysqli_connect("localhost", "root", "hunter2"); ?>`,
		"Server Error in '/shop' Application.",
		"<title>r57 Shell Version 1.4</title>",
		"#!/bin/sh\nexit 0\n",
	}
	plainTexts = []string{
		"a quiet room", `{"hotel":"h-1","guests":2,"note":"late arrival"}`,
		"<!DOCTYPE html>\n<html><head><title>Hotels</title></head><body><h1>Hotels in Helsinki</h1><p>It's a nice room &amp; quiet.</p></body></html>",
	}
)

// leastLeak is the score that a recognised leak has at least.
const leastLeak = 4

// ownAnswer is an answer of our own as it is inspected.
func (i *Inspector) ownAnswer(text string) *answer {
	a := &answer{id: "probe", body: []byte(text)}
	media := i.profile.Responses.list()[0]
	a.take(http.StatusOK, "HTTP/1.1", http.Header{"Cache-Control": {"no-store"}}, media)
	return a
}

// askBoth shows the engine a request and an answer to it.
func (i *Inspector) askBoth(s *subject, a *answer) (found leak, err error) {
	ctx := context.Background()
	request, err := i.inspectThen(ctx, s, math.MaxInt32, func(o *session) { found, err = o.settle(ctx, a, math.MaxInt32) })
	if err == nil && request.interruption != nil {
		found.interruption = request.interruption
	}
	return found, err
}

// settle shows the engine the answer and closes the session.
func (o *session) settle(ctx context.Context, a *answer, most int) (leak, error) {
	found, err := o.answer(ctx, a, most)
	if broken(err) {
		return found, err
	}
	if closing := o.close(); err == nil {
		err = closing
	}
	return found, err
}

// probeAnswers proves that the rules as loaded see leaks, and that the proof says
// clean of no answer on which they have an effect.
func (i *Inspector) probeAnswers() error {
	if !i.profile.Responses.Some() {
		return nil
	}
	s, err := i.own(probeRequest("", "", ""), "")
	if err != nil {
		return err
	}
	for n, text := range append(append([]string(nil), leakTexts...), plainTexts...) {
		a := i.ownAnswer(text)
		found, err := i.askBoth(s, a)
		switch {
		case err != nil:
			return fmt.Errorf("probing the WAF profile %q with an answer: %w", i.profile.Name, err)
		case n < len(leakTexts) && found.Score < leastLeak:
			return fmt.Errorf("the WAF profile %q does not see a leak in an answer that holds %q; the rules in this binary are incomplete", i.profile.Name, firstLine(text))
		case n >= len(leakTexts) && found.interruption != nil:
			return fmt.Errorf("the WAF profile %q withholds the answer %q with a score of %d; raise threshold.outbound or lower paranoia.blocking", i.profile.Name, firstLine(text), found.Score)
		}
		if err := i.tryAnswer(s, a, found); err != nil {
			return err
		}
	}
	return nil
}

// tryAnswer holds the proof of one answer against what the engine found.
func (i *Inspector) tryAnswer(s *subject, a *answer, found leak) error {
	p := &i.proving
	if !p.proves() || !i.said(context.Background(), s).Clean || !p.proveAnswer(a).Clean || !found.effect() {
		return nil
	}
	if i.profile.Proof == ProofShadow {
		i.disprovedAnswer(context.Background(), a.id, found)
		return nil
	}
	p.off.Store(true)
	return fmt.Errorf("the WAF profile %q proves an answer clean on which the engine has rules that match (%v): write proof: off for it, and report this", i.profile.Name, found.Rules)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return clip(line)
}
