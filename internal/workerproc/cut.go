package workerproc

import (
	"fmt"
	"strings"
	"time"

	"github.com/rota-go/rota/internal/conn"
)

// cut is how many connections of each kind the end of the grace has closed.
type cut map[conn.Kind]int

func cutOf(rest []*conn.Tracked) cut {
	c := cut{}
	for _, t := range rest {
		c[t.Kind()]++
	}
	return c
}

// String lists the kinds, as "2 TLS, 1 upgraded".
func (c cut) String() string {
	var parts []string
	for k := conn.Silent; k <= conn.Other; k++ {
		if c[k] > 0 {
			parts = append(parts, fmt.Sprint(c[k], " ", k))
		}
	}
	return strings.Join(parts, ", ")
}

// reportCut says which connections the end of the grace has closed, and what helps.
func (w *Worker) reportCut(c cut, grace time.Duration) {
	if len(c) == 0 {
		return
	}
	n := 0
	for _, of := range c {
		n += of
	}
	w.report("WARN %s cut at the end of the grace of %v: %v; rotahttp drains TLS and HTTP/2, "+
		"worker.OnDisconnect can end others, and master.Config.Grace gives them more time", count(n, "connection"), grace, c)
}

// count returns n and what is counted.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}
