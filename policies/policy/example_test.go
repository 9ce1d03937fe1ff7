package policy_test

import (
	"errors"
	"fmt"
	"os"
	"testing/fstest"

	"portcullis/policies/policy"
)

func ExampleCheck() {
	files := fstest.MapFS{"limits.yaml": {Data: []byte(`version: 1
limits:
  - {name: per-source, by: sorce, rate: 200}
`)}}
	_, err := policy.Check(files, os.LookupEnv)
	if mistakes, ok := errors.AsType[policy.Mistakes](err); ok {
		fmt.Println(len(mistakes), "mistakes")
		mistakes[:1].Render(os.Stdout, false)
	}
	// Output:
	// 2 mistakes
	// error[P030]: "sorce" is not known here
	//  ┌─ limits.yaml:3:28
	// 3│   - {name: per-source, by: sorce, rate: 200}
	//  │                            ^^^^^ did you mean "source"?
	//  = help: write source, principal, client or route
}
