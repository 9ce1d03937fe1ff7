package compress

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxPackers bounds the answers that are compressed at once. A packer holds
	// about half a mebibyte: together 64 MiB at most, whoever reads slowly.
	maxPackers = 128
	// window is how far back zstd looks for repeats, in bytes. gzip looks back 32
	// KiB; a larger one costs memory for every answer.
	window = 64 << 10
)

// packer compresses one answer after another. Flush writes out what has been
// written so far, Close its end.
type packer interface {
	io.Writer
	Flush() error
	Close() error
	Reset(to io.Writer)
}

// Pool lends packers, a bounded number at once. The zero value lends none.
type Pool struct {
	most int64
	lent atomic.Int64
	gzip sync.Pool // *gzip.Writer
	zstd sync.Pool // *zstd.Encoder
}

// NewPool returns a pool of the usual bound. All routes share one.
func NewPool() *Pool { return &Pool{most: maxPackers} }

// get lends a packer that writes to w; nil when too many are lent.
func (p *Pool) get(c coding, w io.Writer) packer {
	if p.lent.Add(1) > p.most {
		p.lent.Add(-1)
		return nil
	}
	from := p.of(c)
	lent, ok := from.Get().(packer)
	if !ok {
		lent = newPacker(c)
	}
	lent.Reset(w)
	return lent
}

// put takes a packer back. Whatever it still held of an answer is forgotten: it
// must not come out in another's.
func (p *Pool) put(c coding, lent packer) {
	lent.Reset(io.Discard)
	p.of(c).Put(lent)
	p.lent.Add(-1)
}

func (p *Pool) of(c coding) *sync.Pool {
	if c == zstandard {
		return &p.zstd
	}
	return &p.gzip
}

func newPacker(c coding) packer {
	if c == zstandard {
		// On the goroutine that writes, with the least memory. The options are
		// constants within their bounds, so that there is no error.
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(window), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithZeroFrames(true))
		if err != nil {
			panic(err)
		}
		return encoder
	}
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a constant it knows
	if err != nil {
		panic(err)
	}
	return w
}
