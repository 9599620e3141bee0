//go:build linux

package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rota-go/rota/internal/e2etest"
)

func TestReloadUnderRequests(t *testing.T) {
	p := e2etest.StartProgram(t)
	client := &http.Client{Timeout: e2etest.Stuck}
	e2etest.UnderLoad(p, 16, 4, func() error {
		resp, err := client.Post("http://"+p.Addr()+"/hello/you", "text/plain", io.LimitReader(strings.NewReader("x"), 1)) // not sent twice
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			return fmt.Errorf("POST: %s", resp.Status)
		}
		return get(client, "http://"+p.Addr()+"/hello/you")
	})
}

func get(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && !strings.HasPrefix(string(b), "hello you from process ") {
		err = fmt.Errorf("%s: %q", resp.Status, b)
	}
	return err
}
