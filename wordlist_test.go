package rota_test

// phrases are regular expressions, in lower case, of what comments, strings and pages may
// not say, and what to write instead. Most of them leave out the subject or the object of
// a sentence, or are a figure of speech.
var phrases = map[string]string{
	// Not English, or riddles.
	"(?:how )?manieth": "\"the index of …\"",
	"(?:yet )?(?:not )?(?:been )?heard (?:of|from)": "\"has connected\", \"has sent its first frame\", or what has arrived",
	"the seed":                                "what is meant",
	"nobody else notices":                     "what stays unaffected",
	"who waits(?: for \\w+)?":                 "\"the caller of Run\", or whichever call is waiting",
	"(?:is|are|be|been) told to go":           "\"gets Connection: close\" or \"gets a GOAWAY\"",
	"(?:see|sees|saw|seen|seeing) off":        "\"drain\"",
	"in the hands of":                         "\"owned by\" or \"passed to\"",
	"in hand":                                 "\"in progress\", or \"unanswered\"",
	"(?:make|makes|made|making) way(?: for)?": "\"is replaced by\", \"ends so that … can start\"",
	"(?:let|lets|letting) go":                 "\"stops serving\", \"releases\"",
	"come what may":                           "the cases that are meant",
	"for good":                                "\"permanently\"",
	"as ever":                                 "\"as before\", \"as usual\"",
	"(?:its|their) own way":                   "what differs",
	"be long":                                 "a duration",
	"in miniature":                            "what it has and what it lacks",
	"(?:is|are) all there is":                 "what exists",
	"that is the whole of":                    "the sentence without it",
	"must have the machine":                   "\"runs alone\"",

	"(?:has|have|had|may have|come|comes) (?:come )?to (?:its|an|their) end":                                                    "\"has ended\", \"returns\"",
	"what (?:came|has come|comes|has become) of(?: it| them)?":                                                                  "\"the result\", \"the state\"",
	"(?:to|for|of|by|from|first|and|but) who (?:subscribes|subscribe|has|have|waits|wait|does|do|connects|comes|asks|calls|is)": "the noun: \"the subscriber that …\", \"the caller that …\"",
	"is no (?:worker|link|test|socket|closure|listener|news|master)":                                                            "\"is not a …\"",
	"is (?:somebody|someone|nobody) else's":                                                                                     "who owns it",
	"(?:see|sees|seen) \\w+ off":                                                                                                "\"drains\", \"waits for\"",
	"(?:nobody|none|who|one|somebody) is at (?:it|work)":                                                                        "\"is running\"",
	"for ever":                                    "\"forever\", or \"without a limit\"",
	"a moment (?:ago|later|more|before)":          "a duration, or the event",
	"so, but(?: for)?":                            "\"the same, …\", with what is the same",
	"lies down":                                   "\"blocks\"",
	"come forward":                                "\"return\"",
	"(?:our|its|the) language":                    "\"the protocol\"",
	"keeps no rules":                              "which rule it breaks",
	"(?:it|they) deserves?":                       "which one",
	"can't be helped":                             "what happens then",
	"last (?:words|moments)":                      "\"frames sent before the close\", or a duration",
	"(?:'s|the|own) business(?: of)?":             "who is responsible for it",
	"the remedy":                                  "\"a fix\"",
	"(?:take|takes|taken|took) up (?:the|a) link": "\"inherits the link\"",
	"(?:take|takes|taken|took) note(?: of)?":      "\"records\"",
	"of another making":                           "\"of another type\"",
	"nothing (?:is )?left to lose":                "what may be ignored, and why",
	"the moment it takes":                         "a duration",
	"well or not":                                 "\"whether or not it succeeded\"",
	"in the end too":                              "when it happens",
	"is for (?:its|the|their) \\w+ to (?:say|find out|know)": "which function reports it",
	"somebody whose turn it is":                              "\"the goroutine that has the turn\"",
	"has its say":                                            "what it does",

	// References to documents that are not in the repository.
	"contracts? \\d+": "the promise itself, or a reference to docs/contract.md",
	"facts? \\d+":     "the fact itself, or a reference to docs/facts.md",
	"rule \\d+ of":    "the rule itself",

	// Words of the old vocabulary.
	"culprits?": "\"failed worker\"",
	"heirs?":    "\"successor\"",
	"latent":    "\"lazy\"",
	"flips?":    "\"starts the successor\"",
	"glances?":  "\"inspects the first bytes\"",
	"glanced":   "\"inspected\"",
	"weighs?":   "\"compares\" or \"checks the memory of\"",
	"weighed":   "\"compared\" or \"decided\"",
}

// names are words, in lower case, that no name may have, and the term that replaced each.
var names = map[string]string{
	"heard":    "delivered",
	"told":     "delivered, notified, or Allow for a rate limiter",
	"past":     "history",
	"settle":   "reconcile",
	"tidy":     "releaseMemory",
	"guarded":  "userfunc.Call",
	"adopted":  "inherited",
	"lent":     "borrowed",
	"flip":     "startSuccessor",
	"heeds":    "stopAcked",
	"official": "publishPID",
	"sweep":    "closeUnused",
	"make way": "closeLingering",
	"clash":    "rejectDuplicate",
	"weigh":    "checkMemory",
	"heavy":    "memoryCooldown",
	"culprit":  "failed",
	"heir":     "successor",
	"latent":   "lazyListener",
	"awake":    "open",
	"glances":  "sniff",
	"dark":     "untracked",
	"give up":  "stopTracking",
	"let go":   "retire",
	"see off":  "drain",
	"owed":     "pendingHeader",
	"manieth":  "index",
}

// pending are directories, with a slash at the end, and files that still have some of the
// words. The list may only shrink: delete a line when its words are gone.
var pending = []string{}
