package pipeline_test

import (
	"errors"
	"reflect"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
)

// A transaction is used again for another client's request: what one field
// remembers, a stranger gets. The fields are walked, so that a new one cannot
// be forgotten.
func TestResetForgetsEverything(t *testing.T) {
	t.Parallel()
	tx := &pipeline.Transaction{}
	fill(t, reflect.ValueOf(tx).Elem(), "Transaction")
	eachField(tx, func(name string, v reflect.Value) {
		if v.IsZero() {
			t.Fatalf("%s could not be filled: the test would prove nothing", name)
		}
	})
	tx.Reset()
	eachField(tx, func(name string, v reflect.Value) {
		if !forgotten(v) {
			t.Errorf("%s survives Reset", name)
		}
	})
}

// forgotten reports whether nothing is left; memory may be kept, not what it held.
func forgotten(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice:
		return v.Len() == 0
	case reflect.Struct:
		for i := range v.NumField() {
			if !forgotten(v.Field(i)) {
				return false
			}
		}
		return true
	default:
		return v.IsZero()
	}
}

// onlooker fills what is an interface.
type onlooker struct{ pipeline.AnswerInspector }

func eachField(tx *pipeline.Transaction, look func(name string, v reflect.Value)) {
	v := reflect.ValueOf(tx).Elem()
	for i := range v.NumField() {
		look(v.Type().Field(i).Name, v.Field(i))
	}
}

// fill makes v other than zero, unexported fields included.
func fill(t *testing.T, v reflect.Value, name string) {
	t.Helper()
	v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	switch v.Kind() {
	case reflect.Interface:
		v.Set(reflect.ValueOf(onlooker{}))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), name+"."+v.Type().Field(i).Name)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), name)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.UnsafePointer:
		v.SetPointer(unsafe.Pointer(new(error)))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.String:
		v.SetString("left over")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	default:
		t.Fatalf("%s is a %s: teach this test to fill it", name, v.Kind())
	}
}

func TestTheFirstFailureOfTheClientIsKept(t *testing.T) {
	t.Parallel()
	tx := &pipeline.Transaction{}
	if tx.ClientErr() != nil {
		t.Error("a client that did nothing has failed")
	}
	first, second := errors.New("hung up"), errors.New("broken pipe")
	tx.ClientFailed(first)
	tx.ClientFailed(second)
	if got := tx.ClientErr(); !errors.Is(got, first) {
		t.Errorf("got %v, want %v", got, first)
	}
}

func TestCleanUpsRunLastFirstAndOnce(t *testing.T) {
	t.Parallel()
	tx := &pipeline.Transaction{}
	var ran []string
	for _, name := range []string{"a", "b", "c"} {
		tx.OnDone(func() { ran = append(ran, name) })
	}
	tx.Done()
	tx.Done()
	if diff := cmp.Diff([]string{"c", "b", "a"}, ran); diff != "" {
		t.Error(diff)
	}
}

// One clean-up gives back a route's place; to lose it would close the route
// for good.
func TestACleanUpThatPanicsStopsNoOther(t *testing.T) {
	t.Parallel()
	tx := &pipeline.Transaction{}
	gaveBack := false
	tx.OnDone(func() { gaveBack = true })
	tx.OnDone(func() { panic("broken") })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		tx.Done()
	}()
	if !gaveBack {
		t.Error("the clean-up registered before it did not run")
	}
}

func TestSetHeaderReplaces(t *testing.T) {
	t.Parallel()
	tx := &pipeline.Transaction{}
	tx.SetHeader("Ratelimit", "first")
	tx.SetHeader("Ratelimit", "second")
	tx.SetHeader("Other", "x")
	if diff := cmp.Diff(map[string][]string{"Ratelimit": {"second"}, "Other": {"x"}}, map[string][]string(tx.Header)); diff != "" {
		t.Error(diff)
	}
}
