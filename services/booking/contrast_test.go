package booking_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTextCanBeRead holds the contrast of WCAG 2.2, 1.4.3 and 1.4.11, in both
// schemes, for the pairs of colours that stand on each other.
func TestTextCanBeRead(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("assets/hotel.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := strings.Cut(string(css), "prefers-color-scheme: dark")
	dark, _, _ = strings.Cut(dark, "\n}\n")
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		colors := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(text, -1) {
			colors[m[1]] = m[2]
		}
		check := func(front, back string, least float64) {
			if colors[front] == "" || colors[back] == "" {
				t.Fatalf("%s: no colour %s or %s", scheme, front, back)
			}
			if got := contrast(t, colors[front], colors[back]); got < least {
				t.Errorf("%s: %s on %s has %.2f:1, want %.1f:1", scheme, front, back, got, least)
			}
		}
		for _, ground := range []string{"paper", "card", "sunk"} {
			for _, text := range []string{"ink", "soft", "brand", "brand-deep", "accent", "bad"} {
				check(text, ground, 4.5)
			}
			check("edge", ground, 3)
		}
		for _, kind := range []string{"bad", "good", "warn", "brand"} {
			check(kind, kind+"-paper", 4.5)
		}
		check("ink", "brand-paper", 4.5)
		check("soft", "brand-paper", 4.5)
		check("on-accent", "accent", 4.5)
		check("on-accent", "accent-deep", 4.5)
		check("card", "bad", 4.5)
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	one, other := luminance(t, a), luminance(t, b)
	return (max(one, other) + 0.05) / (min(one, other) + 0.05)
}

func luminance(t *testing.T, color string) (sum float64) {
	t.Helper()
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatalf("the colour %q: %v", color, err)
		}
		if c := float64(n) / 255; c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
