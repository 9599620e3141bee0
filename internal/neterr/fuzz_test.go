package neterr

import (
	"encoding/json"
	"errors"
	"net"
	"testing"

	"github.com/rota-go/rota/internal/wire"
)

// FuzzDecode: whatever a master sends as an error is one, whose methods can be called, and
// that says the same after another way over a link.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"kind":"syscall","op":"listen","net":"tcp","addr":"127.0.0.1:80","addrNet":"tcp","syscall":"bind","errno":98}`,
		`{"kind":"errno","errno":-1,"text":"x"}`, `{"kind":"dns","text":"no such host","name":"a","server":"b","flags":7}`,
		`{"kind":"known","name":"net.ErrClosed"}`, `{"kind":"addr","op":"listen","addrNet":"ip","addr":"::1%lo"}`,
		`{"kind":"network","text":"x","op":"listen","addrNet":"udp","addr":":http"}`, `{"kind":"invalid","addrNet":"unix"}`, `{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var b wire.FailedBody
		if json.Unmarshal(body, &b) != nil {
			return
		}
		err := Decode(b)
		if err == nil {
			t.Fatalf("%s: no error", body)
		}
		text := err.Error()
		var e net.Error
		if errors.As(err, &e) {
			_ = e.Timeout()
		}
		again := Decode(overLink(t, Encode(err)))
		if len(text) < 1000 && again.Error() != text {
			t.Errorf("%s: %q, and after another way over a link %q", body, text, again)
		}
		if a, b := Encode(again), Encode(Decode(overLink(t, Encode(again)))); a != b {
			t.Errorf("%s: %+v, and then %+v", body, a, b)
		}
	})
}

func overLink(t *testing.T, b wire.FailedBody) (got wire.FailedBody) {
	t.Helper()
	if err := (wire.Frame{Body: wire.Body(b)}).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}
