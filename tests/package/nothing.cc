// tests/package/nothing.cc: a program of what it is told to include (test_package.py).
int main() {}
