package judge

import (
	"errors"
	"math"
	"testing"

	"github.com/rota-go/rota/reload"
)

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		name             string
		judge            Judge
		canaries, others Answers
		worse            bool
	}{
		{"nothing yet", Judge{}, Answers{}, Answers{}, false},
		{"well", Judge{}, Answers{1000, 0}, Answers{3000, 0}, false},
		{"every answer, of too few", Judge{}, Answers{99, 99}, Answers{3000, 0}, false},
		{"of enough", Judge{}, Answers{100, 99}, Answers{3000, 0}, true},
		{"30 %", Judge{}, Answers{1000, 300}, Answers{3000, 0}, true},
		{"at the floor", Judge{}, Answers{1000, 50}, Answers{3000, 0}, false},
		{"above the floor", Judge{}, Answers{1000, 51}, Answers{3000, 0}, true},
		{"as the others", Judge{}, Answers{1000, 300}, Answers{3000, 900}, false},
		{"twice the others", Judge{}, Answers{1000, 300}, Answers{1000, 150}, false},
		{"more than that", Judge{}, Answers{1000, 301}, Answers{1000, 150}, true},
		{"nobody asks the others", Judge{}, Answers{1000, 300}, Answers{}, true},
		{"less than the others", Judge{}, Answers{1000, 400}, Answers{10, 8}, false},
		{"as it is told", Judge{Requests: 10, Floor: 0.2, Ratio: 1}, Answers{10, 3}, Answers{10, 2}, true},
		{"at its floor", Judge{Requests: 10, Floor: 0.3, Ratio: 1}, Answers{10, 3}, Answers{10, 2}, false},
		{"at its ratio", Judge{Requests: 10, Floor: 0.2, Ratio: 1.5}, Answers{10, 3}, Answers{10, 2}, false},
		{"never", Judge{Requests: math.MaxInt}, Answers{math.MaxInt64 - 1, math.MaxInt64 - 1}, Answers{}, false},
		{"numbers that can't be", Judge{}, Answers{-5, 100}, Answers{-1, -1}, false},
	} {
		err := tc.judge.Judge(tc.canaries, tc.others)
		if errors.Is(err, reload.ErrWorse) != tc.worse || (err != nil) != tc.worse {
			t.Errorf("%s: %v, worse: want %v", tc.name, err, tc.worse)
		}
	}
	want := "answers more requests with a status of 5xx than the workers of before: 30 of 100, they 1 of 300"
	if err := (Judge{}).Judge(Answers{100, 30}, Answers{300, 1}); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
