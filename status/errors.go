package status

import "fmt"

// ConfigError is an invalid value of a field of master.Config.
type ConfigError struct {
	Field string // of the Config, or the environment variable that sets it
	Value any    // the invalid value
	Want  string // what is valid
}

func (e *ConfigError) Error() string {
	if s, ok := e.Value.(string); ok {
		return fmt.Sprintf("%s is %q: want %s", e.Field, s, e.Want)
	}
	return fmt.Sprintf("%s is %v: want %s", e.Field, e.Value, e.Want)
}

// StartError is the error of (*master.Master).Run if a worker of the first start died before it was
// ready, or three workers in a row of one slot died, none had been ready for
// master.Config.MinUptime before, and none served.
type StartError struct {
	Worker  int // its id
	PID     int // 0 if the process could not be started
	Exit    Exit
	Crashes int // in a row, this one included; 0: it died before it was ready
}

func (e *StartError) Error() string {
	if e.Crashes > 0 {
		return fmt.Sprintf("worker %d (pid %d) died soon after its start, as did %d before it: %v", e.Worker, e.PID, e.Crashes-1, e.Exit)
	}
	return fmt.Sprintf("worker %d (pid %d) died before it was ready: %v", e.Worker, e.PID, e.Exit)
}

// Unwrap returns why the process could not be started, or nil if it was.
func (e *StartError) Unwrap() error { return e.Exit.Err }

// UpgradeError says why an upgrade has failed. The master that returns it goes on serving
// with the workers that it has.
type UpgradeError struct {
	PID int   // of the new master; 0 if it has not reported
	Err error // why
}

func (e *UpgradeError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("upgrade: %v", e.Err)
	}
	return fmt.Sprintf("upgrade: new master (pid %d): %v", e.PID, e.Err)
}

// Unwrap returns Err.
func (e *UpgradeError) Unwrap() error { return e.Err }
