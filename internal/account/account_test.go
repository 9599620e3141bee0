package account

import (
	"os"
	"slices"
	"testing"
)

// HOME, USER and LOGNAME become those of the account, except those that were set on purpose.
func TestEnviron(t *testing.T) {
	for _, name := range []string{"HOME", "USER", "LOGNAME"} {
		t.Setenv(name, "root's")
	}
	master := []string{"HOME=root's", "A=1", "USER=root's", "LOGNAME=root's"}
	for _, tc := range []struct {
		name      string
		account   *Account
		env, want []string
	}{
		{"no account", nil, master, master},
		{"the process's own", &Account{own: true, name: "x", home: "/x"}, master, master},
		{"another", &Account{name: "x", home: "/x"}, master, []string{"A=1", "HOME=/x", "USER=x", "LOGNAME=x"}},
		{"none were set", &Account{name: "x", home: "/x"}, []string{"A=1"}, []string{"A=1", "HOME=/x", "USER=x", "LOGNAME=x"}},
		{"a number without an entry", &Account{uid: 12345}, master, []string{"A=1"}},
		{"on purpose", &Account{name: "x", home: "/x"}, []string{"HOME=/srv", "USER=root's"}, []string{"HOME=/srv", "USER=x", "LOGNAME=x"}},
	} {
		if got := tc.account.Environ(tc.env); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Without a confinement, start runs as it is called.
func TestNotConfined(t *testing.T) {
	if err := (Confine{}).Start(func() error { return os.ErrExist }); err != os.ErrExist {
		t.Error(err)
	}
}
