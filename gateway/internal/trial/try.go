package trial

import (
	"context"
	"time"

	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// tryMost bounds how long a start or a reload waits for its tests: two hundred
// take seconds, and a busy machine must not keep a good policy out.
const tryMost = 3 * time.Minute

// Try runs a document's own tests, as a reload does before candidate comes into
// force. The error holds a mistake for each expectation that is not met.
// candidate lends its WAF rule sets and is not touched otherwise; it may be nil.
func Try(doc *policy.Document, candidate *pipeline.Snapshot) error {
	if len(doc.Tests) == 0 {
		return nil
	}
	t, err := New(Config{Document: doc, From: candidate})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), tryMost)
	defer cancel()
	return t.Run(ctx, doc.Tests, nil).Mistakes(doc)
}
