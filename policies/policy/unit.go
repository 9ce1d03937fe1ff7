package policy

import (
	"fmt"
	"time"
)

// FormatSize writes a size in bytes as a policy would: 64KiB.
func FormatSize(n int64) string {
	for _, unit := range []struct {
		suffix string
		bytes  int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n != 0 && n%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", n/unit.bytes, unit.suffix)
		}
	}
	return fmt.Sprintf("%dB", n)
}

// FormatDuration writes a duration as a policy would: 5m, not 5m0s.
func FormatDuration(t time.Duration) string {
	for _, unit := range []struct {
		suffix string
		length time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if t != 0 && t%unit.length == 0 {
			return fmt.Sprintf("%d%s", t/unit.length, unit.suffix)
		}
	}
	return t.String()
}
