// api/model/tuple.cpp
