package listentest

import "testing"

// T is what a case needs of a *testing.T. [Testing] makes one of a *testing.T,
// [Main] makes one where there is none.
type T interface {
	Name() string
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any) // from the goroutine of the test only
	Skipf(format string, args ...any)  // likewise
	Cleanup(func())
	Run(name string, f func(T)) bool
}

// Testing returns t as a T.
func Testing(t *testing.T) T { return testingT{t} }

type testingT struct{ *testing.T }

var _ T = testingT{}

func (t testingT) Run(name string, f func(T)) bool {
	return t.T.Run(name, func(t *testing.T) { f(testingT{t}) })
}
