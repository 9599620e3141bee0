package main

import (
	"fmt"
	"io"

	"github.com/rota-go/rota/internal/controlclient"
	"github.com/rota-go/rota/status"
)

// printFaults prints what is wrong with workers, a line each.
func printFaults(w io.Writer, s status.Status) {
	for _, x := range s.Workers {
		if x.Fault != "" {
			fmt.Fprintf(w, "worker %d: %s\n", x.ID, controlclient.Clean(x.Fault))
		}
	}
}
