//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/rota-go/rota"
	"github.com/rota-go/rota/master"
)

const (
	helperEnv = "ROTA_E2E"        // the helper that this process is
	configEnv = "ROTA_E2E_CONFIG" // the master's configuration, as JSON
	flagsEnv  = "ROTA_E2E_FLAGS"  // what the helper reads, for a test's own use
)

// helpers are the programs that the test binary can be.
var helpers = map[string]func(){}

// tests are those of this package, for a helper that runs some.
var tests *testing.M

func TestMain(m *testing.M) {
	tests = m
	name := os.Getenv(helperEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	run := helpers[name]
	if run == nil {
		fmt.Fprintf(os.Stderr, "no helper %q\n", name)
		os.Exit(2)
	}
	setup()
	run()
	os.Exit(0) // main returns
}

// setup reads the master's configuration from the environment.
func setup() {
	var cfg master.Config
	if s := os.Getenv(configEnv); s != "" {
		if err := json.Unmarshal([]byte(s), &cfg); err != nil {
			panic(err)
		}
	}
	if err := rota.Setup(cfg); err != nil {
		panic(err)
	}
}
