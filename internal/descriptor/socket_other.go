//go:build !linux

package descriptor

import "errors"

func listens(int) (bool, error) { return false, errors.ErrUnsupported }

func cookie(int) (uint64, error) { return 0, errors.ErrUnsupported }

func fromRights([]byte) ([]*FD, error) { return nil, errors.ErrUnsupported }

// AcceptQueue returns 0: how long the queue is isn't known.
func (f *FD) AcceptQueue() (waiting, limit int) { return 0, 0 }

func isShutForReading(int) bool { return false }

func isShutForWriting(int) bool { return false }
