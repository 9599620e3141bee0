package listentest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run calls runMain and returns its output without durations and line numbers.
func run(f func(tb)) (status int, output string) {
	var out strings.Builder
	status = runMain(&out, f)
	output = regexp.MustCompile(`\(\d+\.\d\ds\)`).ReplaceAllString(out.String(), "(t)")
	return status, regexp.MustCompile(`(?m)\.go:\d+`).ReplaceAllString(output, ".go:n")
}

func TestMainFunction(t *testing.T) {
	tests := []struct {
		name   string
		f      func(tb)
		status int
		want   string
	}{
		{"what passes is one line", func(t tb) {
			t.Run("group", func(t tb) { t.Run("case", func(t tb) { t.Logf("unseen") }) })
		}, 0, `--- PASS: group/case (t)
PASS: 1 passed, 0 failed, 0 skipped
`},
		{"what fails shows its log", func(t tb) {
			t.Run("group", func(t tb) {
				t.Run("one", func(t tb) {
					t.Logf("the promise")
					t.Errorf("broken\ntwice")
					t.Fatalf("and again")
					t.Errorf("unseen")
				})
				t.Run("two", func(tb) {})
			})
		}, 1, `--- FAIL: group/one (t)
    runner_test.go:n: the promise
    runner_test.go:n: broken
        twice
    runner_test.go:n: and again
--- PASS: group/two (t)
FAIL: 1 passed, 1 failed, 0 skipped
`},
		{"what is skipped says why", func(t tb) { t.Run("case", func(t tb) { t.Skipf("no %s", "reason"); t.Errorf("unseen") }) }, 0,
			`--- SKIP: case (t)
    runner_test.go:n: no reason
PASS: 0 passed, 0 failed, 1 skipped
`},
		{"a failure after cleanup counts", func(t tb) { t.Run("case", func(t tb) { t.Cleanup(func() { t.Fatalf("leak") }) }) }, 1,
			`--- FAIL: case (t)
    runner_test.go:n: leak
FAIL: 0 passed, 1 failed, 0 skipped
`},
		{"a group may fail itself", func(t tb) { t.Run("group", func(t tb) { t.Run("case", func(tb) {}); t.Errorf("odd") }) }, 1,
			`--- PASS: group/case (t)
--- FAIL: group (t)
    runner_test.go:n: odd
FAIL: 1 passed, 1 failed, 0 skipped
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, output := run(tt.f)
			if diff := cmp.Diff(tt.want, output); diff != "" || status != tt.status {
				t.Errorf("status %d, want %d; output (-want +got):\n%s", status, tt.status, diff)
			}
		})
	}
}

func TestMainFunctionSurvivesPanic(t *testing.T) {
	status, output := run(func(t tb) { t.Run("case", func(tb) { panic("oh") }) })
	if status != 1 || !strings.Contains(output, "panic: oh") {
		t.Errorf("status %d, output:\n%s", status, output)
	}
}

func TestMainFunctionCleansUpInReverse(t *testing.T) {
	var order []string
	run(func(t tb) {
		t.Cleanup(func() { order = append(order, "first") })
		t.Cleanup(func() { order = append(order, "second"); t.Cleanup(func() { order = append(order, "late") }) })
		t.Fatalf("all the same")
	})
	if diff := cmp.Diff([]string{"second", "late", "first"}, order); diff != "" {
		t.Error(diff)
	}
}

// TestMainFunctionSkipsHelpers checks that the line shown is that of the case and not
// of the helper that it calls.
func TestMainFunctionSkipsHelpers(t *testing.T) {
	var out strings.Builder
	runMain(&out, func(t tb) { indirectly(t) })
	shown := regexp.MustCompile(`runner_test\.go:(\d+)`).FindAllStringSubmatch(out.String(), -1)
	if len(shown) != 2 || shown[0][1] == shown[1][1] {
		t.Errorf("want the line of the caller and that of the cleanup:\n%s", &out)
	}
}

func indirectly(t tb) {
	t.Helper()
	t.Cleanup(func() { t.Errorf("of no helper") })
	t.Errorf("of a helper")
}
