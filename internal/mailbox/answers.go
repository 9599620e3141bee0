package mailbox

// Answers are the results that several calls wait for. Each channel has room for one.
type Answers []chan<- error

// Send answers all calls with err.
func (a Answers) Send(err error) {
	for _, result := range a {
		result <- err
	}
}
