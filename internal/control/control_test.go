package control

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-go/rota/status"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		line string
		want Request
		ok   bool
	}{
		{`{"do":"status"}`, Request{Do: Status}, true},
		{`{"do":"reload","nowait":true,"later":[1]}`, Request{Do: Reload, NoWait: true}, true},
		{`{"do":"scale","workers":4}`, Request{Do: Scale, Workers: 4}, true},
		{`{"do":"scale"}`, Request{}, false},
		{`{"do":"scale","workers":1025}`, Request{}, false},
		{`{"do":"restart","slot":-1}`, Request{}, false},
		{`{"do":"restart","worker":7}`, Request{Do: Restart, Worker: 7}, true},
		{`{"do":"reload","canary":2,"for":60000000000}`, Request{Do: Reload, Canary: 2, For: int64(time.Minute)}, true},
		{`{"do":"reload","canary":-1}`, Request{}, false},
		{`{"do":"reload","canary":1025}`, Request{}, false},
		{`{"do":"reload","for":1}`, Request{}, false},
		{`{"do":"reload","canary":1,"for":-1}`, Request{}, false},
		{`{"do":"undrain"}`, Request{Do: Undrain}, true},
		{`{"do":"halt"}`, Request{}, false},
		{`{}`, Request{}, false},
		{``, Request{}, false},
		{`GET / HTTP/1.1`, Request{}, false},
		{`{"do":"status"} {"do":"stop"}`, Request{}, false},
		{`{"do":"status","x":"` + strings.Repeat("x", MaxRequest) + `"}`, Request{}, false},
	} {
		r, err := Parse([]byte(tc.line))
		if (err == nil) != tc.ok || tc.ok && r != tc.want || !tc.ok && !errors.Is(err, ErrInvalid) {
			t.Errorf("%.60s: %+v, %v", tc.line, r, err)
		}
	}
}

// Whatever is sent, a request is one that the master can carry out, and its own line again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"do":"restart","worker":7}`))
	f.Add([]byte(`{"do":"scale","workers":1e9}`))
	f.Add([]byte(`{"do":"reload","canary":1,"for":5}`))
	f.Add([]byte("\x00{{{"))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := Parse(line)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || len(err.Error()) > 2*MaxRequest {
				t.Errorf("%q: %v", line, err)
			}
			return
		}
		again, err := Parse(bytes.TrimSpace(Encode(r)))
		if err != nil || again != r || r.Do == Scale && (r.Workers < 1 || r.Workers > MaxWorkers) {
			t.Errorf("%q is %+v, and then %+v, %v", line, r, again, err)
		}
	})
}

// A client reads whatever a master of another version sends, or an error.
func FuzzParseReply(f *testing.F) {
	f.Add([]byte(`{"result":{"code":"done"}}`))
	f.Add([]byte(`{"status":{"workers":[{"state":"asleep"}]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, err := ParseReply(line); err == nil {
			if _, err := ParseReply(bytes.TrimSpace(Encode(r))); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	})
}

func worker(id, slot, generation int, serves bool) status.Worker {
	w := status.Worker{ID: id, Slot: slot, Generation: generation, PID: 100 + id, State: status.Listening}
	if serves {
		w.Ready = time.Unix(1, 0)
	}
	return w
}

func texts(all []Progress) (lines []string) {
	for _, p := range all {
		lines = append(lines, p.String())
	}
	return lines
}

// The steps of a reload are found slot by slot, also if statuses in between are missed.
func TestTracker(t *testing.T) {
	old := []status.Worker{worker(1, 0, 1, true), worker(2, 1, 1, true)}
	rolling := func(w ...status.Worker) status.Status {
		return status.Status{Phase: "rolling out", Generation: 1, Next: 2, Want: 2, Workers: w}
	}
	serving := func(generation int, w ...status.Worker) status.Status {
		return status.Status{Phase: "serving", Generation: generation, Want: 2, Workers: w}
	}
	for name, tc := range map[string]struct {
		statuses []status.Status
		want     []string
	}{
		"step by step": {
			[]status.Status{
				serving(1, old...),
				rolling(old[0], worker(3, 0, 2, false), old[1]),
				rolling(old[0], worker(3, 0, 2, true), old[1]),
				rolling(worker(3, 0, 2, true), old[1]),
				rolling(worker(3, 0, 2, true), old[1]),
				serving(2, worker(3, 0, 2, true), worker(4, 1, 2, true)),
			},
			[]string{
				"serving", "rolling out", "slot 0: worker 3 (pid 103) starting", "slot 0: worker 3 (pid 103) ready",
				"slot 0: worker 3 (pid 103) has replaced the old one (1 of 2)",
				"slot 1: worker 4 (pid 104) has replaced the old one (2 of 2)", "serving",
			},
		},
		"paused": {
			[]status.Status{
				rolling(old...),
				{Phase: "rolling out", Generation: 1, Next: 2, Want: 2, Workers: old, Paused: time.Unix(1, 0)},
				rolling(old...),
			},
			[]string{"rolling out", "rolling out, paused", "rolling out"},
		},
		"unseen": {
			[]status.Status{serving(1, old...), serving(2, worker(3, 0, 2, true), worker(4, 1, 2, true))},
			[]string{
				"serving", "slot 0: worker 3 (pid 103) has replaced the old one (1 of 2)",
				"slot 1: worker 4 (pid 104) has replaced the old one (2 of 2)",
			},
		},
		"first status": {[]status.Status{serving(7, old...), serving(7, old...)}, []string{"serving"}},
		"failed": {
			[]status.Status{rolling(old[0], worker(3, 0, 2, false), old[1]), serving(1, old...), serving(1, old...)},
			[]string{"rolling out", "slot 0: worker 3 (pid 103) starting", "generation 2 failed, rolling back", "serving"},
		},
	} {
		var tr Tracker
		var got []string
		for _, s := range tc.statuses {
			got = append(got, texts(tr.Next(s))...)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
		}
	}
}
