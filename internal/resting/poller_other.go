//go:build !linux

package resting

import (
	"errors"
	"time"
)

type poller struct{}

func newPoller() (*poller, error)    { return nil, errors.ErrUnsupported }
func (*poller) add(int) error        { return errors.ErrUnsupported }
func (*poller) remove(int)           {}
func (*poller) wait() ([]int, error) { return nil, errors.ErrUnsupported }
func (*poller) wakeIn(time.Duration) {}
func (*poller) wakeNever()           {}
func (*poller) close()               {}
func hasEnded(int) bool              { return false }
