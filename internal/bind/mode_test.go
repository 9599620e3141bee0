package bind

import (
	"io/fs"
	"testing"
)

// Without a mode, the worker's umask decides, as with net.Listen.
func TestUmask(t *testing.T) {
	for _, tc := range []struct {
		network, address string
		mode             fs.FileMode
		umask            int
		want             fs.FileMode
	}{
		{"unix", "/s", 0, 0, 0o777}, {"unixgram", "s", 0, 0o027, 0o750}, {"unix", "/s", 0o600, 0, 0o600},
		{"unix", "/s", 0, -1, 0}, {"unix", "@s", 0, 0, 0}, {"tcp", ":80", 0, 0, 0},
	} {
		r := Request{Network: tc.network, Address: tc.address, Options: Options{Mode: tc.mode}}
		if got := r.WithUmask(func() int { return tc.umask }).Mode; got != tc.want {
			t.Errorf("%+v: mode %v", tc, got)
		}
	}
}
