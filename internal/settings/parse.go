package settings

import (
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/rota-go/rota/reload"
)

// MaxWorkers is the largest number of workers in the environment. A larger one is taken for a
// mistake.
const MaxWorkers = 1024

// units are those of GOMEMLIMIT.
var units = []struct {
	suffix string
	bytes  int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// Parse returns the value of a variable: a time.Duration, int, int64, bool or string. ok is
// false if text is none. Zero is no value, because it would mean the default, and nor is a
// negative duration, whose spelling is "none".
func (s Setting) Parse(text string) (value any, ok bool) {
	switch {
	case text == "none" && s.None:
		return none, true
	case text == "nolimit" && s.NoLimit:
		return s.noLimit(), true
	}
	switch s.Kind {
	case Duration:
		d, err := time.ParseDuration(text)
		return d, err == nil && d > 0 && d < reload.NoLimit
	case Workers:
		return parseWorkers(text)
	case Count:
		n, err := strconv.Atoi(text)
		return n, err == nil && n > 0
	case Bytes:
		return parseBytes(text)
	case Switch:
		return text == "on", text == "on" || text == "off"
	case Choice:
		return Names(s.Names).Value(text)
	}
	return text, true
}

func parseWorkers(text string) (int, bool) {
	if text == "auto" {
		return runtime.GOMAXPROCS(0), true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0 && n <= MaxWorkers
}

func parseBytes(text string) (int64, bool) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		return n * u.bytes, err == nil && n > 0 && n <= math.MaxInt64/u.bytes
	}
	return 0, false
}

// Wants says what the variable may be.
func (s Setting) Wants() string {
	if s.Kind == Choice {
		return Names(s.Names).String()
	}
	text := map[Kind]string{
		Duration: `a duration such as "10s"`,
		Count:    "a number from 1 on",
		Workers:  `a number from 1 to 1024, or "auto"`,
		Bytes:    `a number of bytes, with or without a unit as in "512MiB"`,
		Switch:   `"on" or "off"`,
		Text:     "a text",
	}[s.Kind]
	for _, also := range []struct {
		is   bool
		word string
	}{{s.None, `, or "none"`}, {s.NoLimit, `, or "nolimit"`}} {
		if also.is {
			text += also.word
		}
	}
	return text
}
