package rota_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// unlinked are packages that a server with rota alone does not link, by themselves or through
// another module.
var unlinked = []string{"net/http", "testing", module + "/internal/controlclient", module + "/internal/e2etest", module + "/listentest"}

// A server that imports only rota links neither net/http nor the client of the control socket.
func TestLinked(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to list packages with")
	}
	for pkg, want := range map[string][]string{
		".":                        nil,
		"./rotahttp":               {"net/http"},
		"./internal/controlclient": {module + "/internal/controlclient"},
	} {
		if got, err := linkedBy(pkg); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s links %q, want %q: %v", pkg, got, want, err)
		}
	}
}

// linkedBy returns which of unlinked a program with pkg links.
func linkedBy(pkg string) (found []string, err error) {
	out, err := exec.Command("go", "list", "-deps", pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	all := strings.Fields(string(out))
	for _, p := range unlinked {
		if slices.Contains(all, p) {
			found = append(found, p)
		}
	}
	return found, nil
}
