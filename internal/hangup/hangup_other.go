//go:build !unix

package hangup

import "os"

func hangup() []os.Signal { return nil }

func wasIgnored() bool { return false }

func raise() {}
