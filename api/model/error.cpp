// api/model/error.cpp
