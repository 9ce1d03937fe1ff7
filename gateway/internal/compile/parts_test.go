package compile

import (
	"context"
	"time"

	"portcullis/gateway/internal/pipeline"
)

// meter counts nothing.
type meter struct{}

func (meter) Observe(pipeline.Kind, int, time.Duration) {}

// credential is a token that is always there.
type credential string

func (c *credential) Token(context.Context, string) (string, error) { return string(*c), nil }
