package condition

import (
	"unsafe"

	"cel.dev/cel-go/common/types"
)

// An interface that holds a string or a number points at a copy of it, which
// the compiler puts on the heap: 16 bytes for each variable of each condition of
// each request. The two functions here let it point at a place that the caller
// owns, so that a usual condition allocates nothing. They are the only unsafe
// ones of the gateway.

// box is *p as an interface, without the copy. Whoever keeps what it returns
// sees *p change: it must end before p is set to another value, which values
// sees to, since all that an evaluation gives back is a truth.
func box[T types.String | types.Int](p *T) any {
	var zero T
	var boxed any = zero // of the right type; the zero value costs no allocation
	(*struct {
		kind unsafe.Pointer
		data unsafe.Pointer
	})(unsafe.Pointer(&boxed)).data = unsafe.Pointer(p)
	return boxed
}

// view is b as a string, without the copy. b must not change while it is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
