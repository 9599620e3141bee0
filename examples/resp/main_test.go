//go:build linux

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/internal/e2etest"
)

// Clients that send pipelines of commands, in pieces, keep their connections and their keys through
// reloads, and every answer is there in its turn.
func TestReloadsUnderPipelines(t *testing.T) {
	p := e2etest.StartProgram(t)
	load := e2etest.NewLoad()
	for range 16 {
		c, err := net.Dial("tcp", p.Addr())
		e2etest.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		incremented := 0
		load.Add(1, func() (string, error) { return "", pipeline(c, &incremented) })
	}
	for range 20 {
		load.Goes(t, 100)
		p.Reload()
	}
	load.Goes(t, 100)
	load.MustBeWhole(t)
}

// pipeline sends some commands at once, and checks their answers.
func pipeline(c net.Conn, incremented *int) error {
	c.SetDeadline(time.Now().Add(e2etest.Stuck))
	var commands, want strings.Builder
	for range 1 + rand.IntN(20) {
		*incremented++
		v := strings.Repeat("x", rand.IntN(200))
		commands.WriteString(command("PING") + command("SET", "v", v) + command("INCR", "n") + command("GET", "v") + command("GET", "none"))
		fmt.Fprintf(&want, "+PONG\r\n+OK\r\n:%d\r\n$%d\r\n%s\r\n$-1\r\n", *incremented, len(v), v)
	}
	text := commands.String()
	piece := rand.IntN(len(text))
	_, err := io.WriteString(c, text[:piece])
	time.Sleep(rand.N(2 * time.Millisecond))
	if err == nil {
		_, err = io.WriteString(c, text[piece:])
	}
	if err != nil {
		return err
	}
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != want.String() {
		return fmt.Errorf("got %q, want %q", got, want.String())
	}
	return nil
}

func command(args ...string) string {
	s := fmt.Sprintf("*%d\r\n", len(args))
	for _, a := range args {
		s += fmt.Sprintf("$%d\r\n%s\r\n", len(a), a)
	}
	return s
}

// What isn't a command is told from a command that isn't whole.
func TestParse(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "*": 0, "*1": 0, "*1\r\n": 0, "*1\r\n$4\r\nPIN": 0, "*1\r\n$4\r\nPING\r": 0,
		"*1\r\n$4\r\nPING\r\n": 14, "*1\r\n$4\r\nPING\r\n*1": 14, "*0\r\n": 4,
		"PING\r\n": -1, "\r\n": -1, "*-1\r\n": -1, "*x\r\n": -1, "*1\r\n+4\r\n": -1, "*1\r\n$9999999\r\n": -1, "*9999\r\n": -1,
	} {
		_, n, err := parse([]byte(text))
		if (err != nil) != (want < 0) || err == nil && n != want {
			t.Errorf("%q: %d, %v; want %d", text, n, err, want)
		}
	}
}
