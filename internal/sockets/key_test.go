package sockets

import (
	"testing"

	"github.com/rota-go/rota/internal/bind"
)

// isSeveral decides which addresses stand for several sockets.
func TestIsSeveral(t *testing.T) {
	for _, tc := range []struct {
		network, address string
		want             bool
	}{
		{"tcp", ":0", true}, {"tcp", "", true}, {"tcp", "127.0.0.1:", true}, {"udp", "[::]:00", true},
		{"tcp", ":80", false}, {"tcp", ":http", false}, {"tcp", "0", false}, {"unix", "", true}, {"unix", ":0", false},
		{"fd", "3", false}, {"fd", "web", true}, {"fdgram", "dns", true}, {"fd", "-1", true},
	} {
		if got := isSeveral(bind.Request{Network: tc.network, Address: tc.address}); got != tc.want {
			t.Errorf("%s %q: %v, want %v", tc.network, tc.address, got, tc.want)
		}
	}
}
