package runner

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A probe asks the address itself, and not a proxy that the environment names for the program.
func TestProbeUsesNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	url := "http://0.0.0.0:" + port // this host, and not by a loopback address, for which there is no proxy
	if !hasAnswer(url) {
		t.Error("the server isn't reached")
	}
	status = http.StatusServiceUnavailable
	if hasAnswer(url) {
		t.Error("503 is an answer")
	}
}
