package waf

// buffer keeps the beginning of an answer in memory that is bounded for all.
type buffer struct {
	gate  *Gate
	most  int
	bytes []byte
}

// firstBuffer is what is set aside for an answer at first, in bytes.
const firstBuffer = 8 << 10

// room is how many more bytes may be kept.
func (b *buffer) room() int { return b.most - len(b.bytes) }

// add keeps more, at most what there is room for; false when there is no memory
// left.
func (b *buffer) add(p []byte) bool {
	if need := len(b.bytes) + len(p); need > cap(b.bytes) {
		size := min(max(need, 2*cap(b.bytes), firstBuffer), b.most)
		if !b.gate.reserve(int64(size - cap(b.bytes))) {
			return false
		}
		grown := make([]byte, len(b.bytes), size)
		copy(grown, b.bytes)
		b.bytes = grown
	}
	b.bytes = append(b.bytes, p...)
	return true
}

// free gives the memory back.
func (b *buffer) free() {
	b.gate.reserve(-int64(cap(b.bytes)))
	b.bytes = nil
}
